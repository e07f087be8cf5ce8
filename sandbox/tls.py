"""The private certificate authority of the sandbox and the server certificate it issues.

Both live in one folder (`ca.pem`, `ca.key`, `server.pem`, `server.key`) and are made once, so that a client that
trusts the authority keeps trusting it over restarts. The server certificate carries Microsoft's production host names:
an unmodified client can be pointed here by name resolution alone.
"""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from pathlib import Path

import trustme

NAMES = (
    "localhost",
    "127.0.0.1",
    "::1",
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "management.azure.com",
    "management.core.windows.net",
    "graph.microsoft.com",
    "api.partnercenter.microsoft.com",
    "api.loganalytics.io",
    "*.vault.azure.net",
)


@dataclass(frozen=True)
class Certificates:
    """Paths of the authority's certificate (PEM) and of the server's chain and private key (PEM)."""

    authority: Path
    chain: Path
    key: Path


def ensure(state_dir: Path) -> Certificates:
    """Make the authority and the server certificate in `state_dir` if they are missing; return their paths.

    The server certificate is issued anew, by the same authority, when the list of names has changed. Safe to call from
    several processes at once.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    found = Certificates(state_dir / "ca.pem", state_dir / "server.pem", state_dir / "server.key")
    authority_key, names = state_dir / "ca.key", state_dir / "server.names"
    with (state_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found.authority.exists() and authority_key.exists():
            authority = trustme.CA.from_pem(found.authority.read_bytes(), authority_key.read_bytes())
        else:
            authority = trustme.CA(organization_name="Tenantry sandbox")
            _write(authority_key, authority.private_key_pem.bytes())
            _write(found.authority, authority.cert_pem.bytes())
            names.unlink(missing_ok=True)
        wanted = "\n".join(NAMES)
        if not (names.exists() and names.read_text() == wanted and found.chain.exists() and found.key.exists()):
            issued = authority.issue_cert(*NAMES)
            _write(found.key, issued.private_key_pem.bytes())
            _write(found.chain, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
            names.write_text(wanted)
    return found


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone when it is a key."""
    draft = path.with_suffix(path.suffix + ".new")
    draft.touch(mode=0o600 if path.suffix == ".key" else 0o644)
    draft.write_bytes(content)
    draft.replace(path)

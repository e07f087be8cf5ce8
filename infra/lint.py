"""Runs checkov over the Bicep files, without any download: `make lint-infra`.

Its parser is older than the language, so it reads a copy in which what it does not know is written otherwise (COPIED);
what it cannot read then is an error. Every finding is mended, or skipped in the file with its reason behind it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "bicep"
COPIED = (
    # `extension` has no effect on what is checked.
    (re.compile(r"^extension .*$", re.MULTILINE), ""),
    # A module that may not be there: the same reference without the assurance that it is.
    (re.compile(r"(\w)!\.outputs"), r"\1.outputs"),
)
SKIP = re.compile(r"checkov:skip=(CKV2?_AZURE_\d+)(.*)")


def copy(to: Path) -> tuple[set[str], list[str]]:
    """Write the files there; gives what is skipped in them, and where a reason is lacking."""
    skipped, bare = set(), []
    for path in sorted(FOLDER.rglob("*.bicep")):
        text = path.read_text(encoding="utf-8")
        skipped |= {name for name, _ in SKIP.findall(text)}
        bare += [f"{path.name}: {name}" for name, reason in SKIP.findall(text) if len(reason.strip(": ")) < 15]
        for pattern, other in COPIED:
            text = pattern.sub(other, text)
        target = to / path.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return skipped, bare


def main() -> None:
    """Exits with what was found."""
    with tempfile.TemporaryDirectory() as folder:
        skipped, bare = copy(Path(folder))
        command = [sys.executable, "-m", "checkov.main", "--directory", folder, "--framework", "bicep"]
        command += ["--skip-download", "--output", "json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        sys.exit(done.stderr or done.stdout)
    results, summary = report["results"], report["summary"]
    found = [
        f"{row['file_path']} {row['resource']}: {row['check_id']} {row['check_name']}"
        for row in results["failed_checks"]
    ]
    found += [f"cannot be read: {path}" for path in results["parsing_errors"]]
    # A check that is skipped may break as well: it expects a text where a parameter stands.
    broken = re.findall(r"Failed to run check (\w+) on (.*)", done.stderr)
    found += [f"{name} breaks on {where}" for name, where in broken if name not in skipped]
    found += [f"skipped without a reason: {row}" for row in bare]
    if found:
        sys.exit("\n".join(found))
    counts = f"{summary['passed']} checks passed, {summary['skipped']} skipped with a reason"
    print(f"checkov {summary['checkov_version']}: {counts}")


if __name__ == "__main__":
    main()

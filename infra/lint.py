"""Runs checkov over the Bicep files, without any download: `make lint-infra`.

Its parser is older than the language, so it reads a copy in which what it does not know is written otherwise (COPIED);
what it cannot read then is an error. Every finding is mended, or skipped in the file with its reason behind it.
"""

from __future__ import annotations

import json
import os
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


def copy(to: Path) -> list[str]:
    """Write the files there; gives the skips that lack a reason."""
    bare = []
    for path in sorted(FOLDER.rglob("*.bicep")):
        text = path.read_text(encoding="utf-8")
        bare += [f"{path.name}: {name}" for name, reason in SKIP.findall(text) if len(reason.strip(": ")) < 15]
        for pattern, other in COPIED:
            text = pattern.sub(other, text)
        target = to / path.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return bare


def main() -> None:
    """Exits with what was found."""
    with tempfile.TemporaryDirectory() as folder:
        bare = copy(Path(folder))
        command = [sys.executable, "-m", "checkov.main", "--directory", folder, "--framework", "bicep"]
        command += ["--skip-download", "--output", "json"]
        # In one order, or what a value may come to differs from run to run.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
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
    found += [line for line in done.stderr.splitlines() if "Failed to run check" in line]
    found += [f"skipped without a reason: {row}" for row in bare]
    if found:
        sys.exit("\n".join(found))
    passed, skipped = summary["passed"], summary["skipped"]
    print(f"checkov {summary['checkov_version']}: {passed} checks passed, {skipped} skipped with a reason")


if __name__ == "__main__":
    main()

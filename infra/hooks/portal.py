"""Fills the built portal in for one deployment: where its API is, and which origins the browser may talk to.

azd runs it before the portal is uploaded (azure.yaml), with the outputs of infra/bicep/main.bicep in the environment.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

DIST = Path(__file__).resolve().parents[2] / "portal" / "dist"
RULES = "staticwebapp.config.json"


def origin(url: str) -> str:
    """`https://host` of a URL. Raises ValueError for anything but https."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.netloc:
        raise ValueError(f"{url or 'nothing'} is no https address")
    return f"{parts.scheme}://{parts.netloc}"


def fill(dist: Path, rules: Path, api_url: str, sign_in_url: str) -> None:
    """Write config.json and the rules of Static Web Apps into the built portal. Harmless when repeated."""
    text = rules.read_text(encoding="utf-8")
    for name, url in (("{apiOrigin}", api_url), ("{signInOrigin}", sign_in_url)):
        text = text.replace(name, origin(url))
    (dist / RULES).write_text(text, encoding="utf-8")
    (dist / "config.json").write_text(json.dumps({"apiUrl": api_url}) + "\n", encoding="utf-8")


def main() -> None:
    """Fill in portal/dist from the environment. Exits with what to do when something is missing."""
    if not (DIST / "index.html").is_file():
        sys.exit(f"{DIST} holds no built portal: azd package portal builds it.")
    try:
        fill(DIST, DIST.parent / "public" / RULES, os.environ["PUBLIC_API_URL"], os.environ["SIGN_IN_URL"])
    except (KeyError, ValueError) as error:
        sys.exit(f"PUBLIC_API_URL and SIGN_IN_URL come from azd provision: run that first ({error}).")


if __name__ == "__main__":
    main()

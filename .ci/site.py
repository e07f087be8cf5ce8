# noqa: INP001 - mkdocs loads it by its path, as no module of a package
"""Pages of the site that lie beside docs/, where GitHub looks for them: a hook of mkdocs.

They are read when the site is built, and links from and to them become those of pages in docs/.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
"""Page in the root of the repository -> its place in the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    root = Path(config.config_file_path).parent
    for source, place in PAGES.items():
        files.append(File.generated(config, place, content=moved((root / source).read_text(), root)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links from docs/ to the pages of the root, which are one folder nearer in the site."""
    for source, place in PAGES.items():
        markdown = re.sub(rf"\]\(\.\./((?:\.\./)*){re.escape(source)}(?=[)#])", rf"](\g<1>{place}", markdown)
    return markdown


def moved(text: str, root: Path) -> str:
    """A page of the root as if it lay in docs/. What the site does not have stays as it is, which the build refuses."""

    def link(match: re.Match[str]) -> str:
        path, anchor = match.groups()
        if path in PAGES:
            path = PAGES[path]
        elif path.startswith("docs/"):
            # GitHub shows the README of a folder, the site a page.
            path = f"{path}/README.md" if (root / path).is_dir() else path
            path = path.removeprefix("docs/")
        return f"]({path}{anchor or ''})"

    return re.sub(r"\]\((?!https?://)([^)#]+)(#[^)]*)?\)", link, text)

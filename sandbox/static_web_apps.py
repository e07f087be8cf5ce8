"""A stand-in for Azure Static Web Apps: serves the built portal as its staticwebapp.config.json says.

`python -m sandbox.static_web_apps --port 4280 --api http://localhost:7071/api --sign-in http://localhost:8400`

It does of learn.microsoft.com/azure/static-web-apps/configuration what the portal uses: `navigationFallback` with
`exclude`, `routes` with `headers`, `globalHeaders`. What a deployment writes into the files (config.json and the
origins of the content security policy) is filled in while they are served.
"""

from __future__ import annotations

import argparse
import json
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

CONFIGURATION = "staticwebapp.config.json"


class NotBuiltError(Exception):
    """The folder does not hold a built portal; the message says what to do."""


class Site:
    """The files of a folder, and the rules they are served by."""

    def __init__(self, folder: Path, api_url: str, sign_in_url: str) -> None:
        """Raises NotBuiltError when the folder holds no built portal."""
        self.folder = folder.resolve()
        if not (self.folder / "index.html").is_file():
            raise NotBuiltError(f"{folder} holds no built portal. Run: make portal")
        self.config = json.dumps({"apiUrl": api_url})
        text = (self.folder / CONFIGURATION).read_text()
        for name, url in (("{apiOrigin}", api_url), ("{signInOrigin}", sign_in_url)):
            text = text.replace(name, _origin(url))
        self.rules = json.loads(text)

    def headers(self, path: str) -> dict[str, str]:
        """The headers of an answer: those of every answer, then those of the first route that matches."""
        headers: dict[str, str] = dict(self.rules.get("globalHeaders", {}))
        for rule in self.rules.get("routes", ()):
            if fnmatchcase(path, rule["route"]):
                headers.update(rule.get("headers", {}))
                break
        return headers

    def file(self, path: str) -> Path | None:
        """The file that answers a path; index.html for a page of the application, None for a file that is missing."""
        found = (self.folder / path.lstrip("/")).resolve()
        if found.is_file() and found.is_relative_to(self.folder) and found.name != CONFIGURATION:
            return found
        fallback = self.rules["navigationFallback"]
        if any(fnmatchcase(path, pattern) for pattern in fallback.get("exclude", ())):
            return None
        return self.folder / str(fallback["rewrite"]).lstrip("/")

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.url.path
        headers = self.headers(path)
        if path == "/config.json":
            return Response(self.config, media_type="application/json", headers=headers)
        file = self.file(path)
        if file is None:
            return PlainTextResponse("Not found", 404, headers=headers)
        return FileResponse(file, headers=headers)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def application(folder: Path, api_url: str, sign_in_url: str) -> Starlette:
    """The ASGI application that serves the portal in `folder`. Raises NotBuiltError."""
    site = Site(folder, api_url, sign_in_url)
    return Starlette(
        routes=[Route("/{path:path}", site.answer, methods=["GET"])],
        middleware=[Middleware(GZipMiddleware)],
    )


def main() -> None:
    """Read the arguments and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.static_web_apps", description=__doc__)
    parser.add_argument("--port", type=int, default=4280)
    parser.add_argument("--folder", type=Path, default=Path("portal", "dist"))
    parser.add_argument("--api", default="http://localhost:7071/api")
    parser.add_argument("--sign-in", default="http://localhost:8400")
    arguments = parser.parse_args()
    site = application(arguments.folder, arguments.api, arguments.sign_in)
    uvicorn.run(site, host="127.0.0.1", port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()

"""The stand-in for Azure Static Web Apps: files, the fallback, headers, and what a deployment writes into them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from sandbox.static_web_apps import NotBuiltError, application
from tests.app_fixtures import ROOT

RULES = ROOT / "portal" / "public" / "staticwebapp.config.json"


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Tenantry</h1>")
    (folder / "assets" / "index-1a2b.js").write_text("start()")
    (folder / "config.json").write_text("{}")
    (folder / "staticwebapp.config.json").write_text(RULES.read_text())
    (tmp_path / "secret.txt").write_text("secret")
    served = application(folder, "https://api.example/api", "https://login.example")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://portal.example") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/devices", "/setup/tenants/1", "/index.html"])
async def test_a_page_of_the_application_is_answered_by_its_one_file(site: httpx.AsyncClient, path: str) -> None:
    answer = await site.get(path)
    assert (answer.status_code, answer.text) == (200, "<h1>Tenantry</h1>")
    assert answer.headers["cache-control"] == "no-cache"


async def test_files_whose_name_changes_with_what_they_hold_are_kept_and_a_missing_one_is_missing(
    site: httpx.AsyncClient,
) -> None:
    kept = await site.get("/assets/index-1a2b.js")
    assert (kept.text, kept.headers["cache-control"]) == ("start()", "public, max-age=31536000, immutable")
    assert (await site.get("/assets/index-0000.js")).status_code == 404


async def test_every_answer_allows_the_page_its_own_files_the_api_and_the_sign_in_and_nothing_else(
    site: httpx.AsyncClient,
) -> None:
    policy = (await site.get("/devices")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self' https://api.example https://login.example"
    assert rules["frame-ancestors"] == "'none'"


async def test_the_application_learns_where_its_api_is(site: httpx.AsyncClient) -> None:
    assert (await site.get("/config.json")).json() == {"apiUrl": "https://api.example/api"}


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/staticwebapp.config.json"])
async def test_nothing_beside_the_files_is_served(site: httpx.AsyncClient, path: str) -> None:
    assert (await site.get(path)).text == "<h1>Tenantry</h1>"


def test_a_folder_without_a_built_portal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="make portal"):
        application(tmp_path, "https://api.example/api", "https://login.example")


def test_the_rules_are_json_with_the_two_places_that_a_deployment_fills_in() -> None:
    policy = json.loads(RULES.read_text())["globalHeaders"]["Content-Security-Policy"]
    assert "{apiOrigin}" in policy
    assert "{signInOrigin}" in policy

"""What holds on every route of the API: errors, tokens, unknown names, bodies, paging, versions, repeated requests."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from functions import whole
from functions.routing import MAX_BODY_BYTES, GuardedRoute
from functions.schedules import TargetFilter
from sandbox.host import Host
from shared.schedules.records import Chosen
from shared.schedules.views import FILTER_NAMES
from tests.app_fixtures import ApiFor, emptied
from tests.errors import error_of
from tests.openapi import ANONYMOUS, GUARDED, ROUTES, WITH_BODY, WITH_JSON, Route, document

TENANT = "11111111-1111-4111-8111-111111111111"
UUID_LENGTH = 36


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def known(host: Host, control: httpx.AsyncClient) -> Host:
    """The host with nothing stored, whatever the tests before have left of the world."""
    return await emptied(host, control)


@pytest_asyncio.fixture(loop_scope="session")
async def alice(host: Host, api: ApiFor) -> httpx.AsyncClient:
    """Alice, who may do everything."""
    assert host.state == "Running"
    return await api("alice")


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(host: Host, api: ApiFor) -> httpx.AsyncClient:
    """A caller without a token."""
    assert host.state == "Running"
    return await api()


def named(route: Route) -> str:
    return str(route)


every_route = pytest.mark.parametrize("route", ROUTES, ids=named)
guarded_route = pytest.mark.parametrize("route", GUARDED, ids=named)
json_route = pytest.mark.parametrize("route", WITH_JSON, ids=named)
body_route = pytest.mark.parametrize("route", WITH_BODY, ids=named)


def test_every_field_of_a_filter_is_shown_as_it_is_sent() -> None:
    assert set(FILTER_NAMES) == set(Chosen.model_fields) - {"etag"}
    assert set(FILTER_NAMES.values()) == {field.alias for field in TargetFilter.model_fields.values()}


async def test_the_served_document_lists_exactly_the_registered_routes(nobody: httpx.AsyncClient) -> None:
    served = (await nobody.get("/openapi.json")).json()
    assert served == json.loads(json.dumps(document()))
    listed = {(route.method, route.path) for route in ROUTES}
    registered = {
        (method, route.path)
        for route in whole().routes
        if isinstance(route, GuardedRoute)
        for method in route.methods or ()
    }
    assert listed == registered
    others = {getattr(route, "path", "") for route in whole().routes if not isinstance(route, GuardedRoute)}
    assert others == {"/api/openapi.json", "/api/docs", "/api/docs/static"}


async def test_every_route_is_served_by_a_function_of_its_own_area(host: Host) -> None:
    areas = {
        trigger["route"].partition("/")[0]
        for function in host.functions
        for trigger in function.bindings
        if trigger["type"] == "httpTrigger"
    }
    assert {route.path.split("/")[2] for route in ROUTES} <= areas


@every_route
def test_a_route_is_documented_and_says_who_may_call_it(route: Route) -> None:
    operation = route.operation
    assert operation["description"] or operation["summary"]
    assert bool(operation.get("x-permission")) != bool(operation.get("x-anonymous"))
    assert any(200 <= int(status) < 400 for status in operation["responses"] if status.isdigit())
    assert "422" not in operation["responses"]


def test_a_route_has_a_name_of_its_own_for_generated_clients() -> None:
    names = [route.operation["operationId"] for route in ROUTES]
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z0-9]*)+", name)] == []
    assert len(set(names)) == len(names)


FREE_FORM = {
    "AuditEntry.details": "each act tells of itself what there is to tell",
    "Sink.settings": "by the JSON Schema of its kind",
    "SinkDetail.settings": "the same",
    "SinkKind.settings": "a JSON Schema",
}
"""Parts of answers that have no schema, and why."""
FREE_ANSWERS = {"allowEventGrid": "an answer to OPTIONS, which says all in its headers"}


def free_form(schema: dict[str, Any], name: str, seen: set[str]) -> Iterator[str]:
    """Places below a schema at which anything may stand; each schema that is referred to is looked at once."""
    if reference := schema.get("$ref", "").rpartition("/")[2]:
        if reference not in seen:
            seen.add(reference)
            yield from free_form(document()["components"]["schemas"][reference], reference, seen)
        return
    variants = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ())]
    inner = {
        name: [
            *variants,
            *(schema[word] for word in ("items", "additionalProperties") if schema.get(word, False) is not False),
        ]
    }
    inner |= {f"{name}.{key}": [part] for key, part in schema.get("properties", {}).items()}
    parts = [(place, part) for place, found in inner.items() for part in found]
    if not parts and schema.get("type", "object") in ("object", "array") and schema.get("additionalProperties") is None:
        yield name
    for place, part in parts:
        yield from [place] if isinstance(part, bool) else free_form(part, place, seen)


def test_free_forms_are_found() -> None:
    anything: tuple[Any, ...] = ({}, {"type": "object"}, {"type": "array"}, {"type": "array", "items": {}})
    anything += ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": {}})
    for schema in anything:
        assert list(free_form(schema, "X", set())) == ["X"]
    wrapped = {"type": "object", "properties": {"a": {"anyOf": [{"type": "object"}, {"type": "null"}]}}}
    assert list(free_form(wrapped, "X", set())) == ["X.a"]
    assert list(free_form({"type": "object", "properties": {"a": {"type": "string"}}}, "X", set())) == []


def bodies(route: Route) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each answer of a route that is JSON: status and schema."""
    for status, answer in route.operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            if media == "application/json":
                yield status, content.get("schema", {})


@every_route
def test_an_answer_is_described_to_its_last_key(route: Route) -> None:
    if route.operation["operationId"] in FREE_ANSWERS:
        return
    good = {status: answer for status, answer in route.operation["responses"].items() if status < "400"}
    for status, answer in good.items():
        assert status in ("204", "302") or answer.get("content"), f"{status} has no body"
    for status, schema in bodies(route):
        places = set(free_form(schema, f"{route.operation['operationId']}.{status}", set()))
        assert places <= FREE_FORM.keys()


def test_what_is_listed_as_free_form_is() -> None:
    seen: set[str] = set()
    assert set(FREE_ANSWERS) <= {route.operation["operationId"] for route in ROUTES}
    found = {place for route in ROUTES for _, schema in bodies(route) for place in free_form(schema, "", seen)}
    assert found >= FREE_FORM.keys()


ACTING = [r for r in GUARDED if r.method != "GET"]
"""Each of them changes something or makes work."""


@pytest.mark.parametrize("route", ACTING, ids=named)
def test_an_acting_call_takes_a_reason_and_a_ticket_number(route: Route) -> None:
    assert {"reason", "ticketNumber"} <= route.query_names | route.body_names


@guarded_route
async def test_a_caller_without_a_token_is_refused(nobody: httpx.AsyncClient, route: Route) -> None:
    answer = await nobody.request(route.method, route.url)
    error_of(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", ANONYMOUS, ids=named)
async def test_an_anonymous_route_needs_no_token(nobody: httpx.AsyncClient, route: Route) -> None:
    assert (await nobody.request(route.method, route.url)).status_code in (200, 302)


@every_route
async def test_an_unknown_query_parameter_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    answer = await alice.request(route.method, route.url, params={"tenantid": "x", "siteld": "y"})
    if route.operation.get("x-any-query"):
        assert answer.status_code == 302
        return
    error = error_of(answer, 400, "invalidInput")
    assert {detail["target"] for detail in error["details"]} == {"siteld", "tenantid"}


@json_route
async def test_an_unknown_body_field_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    answer = await alice.request(route.method, route.url, json={"tenantld": "x"})
    error = error_of(answer, 400, "invalidInput")
    assert "tenantld" in {detail["target"] for detail in error["details"]}


@json_route
async def test_malformed_json_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"{'a': 1}", b"\xff\xfe", b'{"a": NaN'):
        answer = await alice.request(route.method, route.url, content=content, headers=headers)
        error = error_of(answer, 400, "invalidInput")
        assert [(detail["code"], detail["target"]) for detail in error["details"]] == [("malformedJson", "body")]


@pytest.mark.parametrize(
    "content, where",
    [
        (b'{"name": }', "at character 9 "),
        (b" ", "at character 1 "),
        (b'{"name": "\xe9"}', "not UTF-8 at byte 10 "),
        (b"\xff\xfe{", "not UTF-16-LE at byte"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 150_000, "nested too deeply"),
    ],
)
async def test_a_body_that_is_no_json_is_told_where(alice: httpx.AsyncClient, content: bytes, where: str) -> None:
    headers = {"Content-Type": "application/json"}
    error = error_of(await alice.post("/connections", content=content, headers=headers), 400, "invalidInput")
    assert error["target"] == "body"
    assert error["message"].startswith("The body is not valid JSON")
    assert where in error["message"]
    assert [detail["target"] for detail in error["details"]] == ["body"]


@json_route
async def test_a_body_that_is_no_object_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    bodies: tuple[Any, ...] = ([], "text", 1, True, [[]])
    for body in bodies:
        error_of(await alice.request(route.method, route.url, json=body), 400, "invalidInput")


@body_route
async def test_a_body_of_another_kind_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        headers = {"Content-Type": media}
        answer = await alice.request(route.method, route.url, content=b"a=1", headers=headers)
        error_of(answer, 415, "unsupportedMediaType")


@body_route
async def test_a_body_above_the_limit_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    limit = route.operation.get("x-max-bytes", MAX_BODY_BYTES)
    headers = {"Content-Type": str(route.media_type)}
    answer = await alice.request(route.method, route.url, content=b" " * (limit + 1), headers=headers)
    error_of(answer, 413, "tooLarge")


@pytest.mark.parametrize("route", [r for r in WITH_JSON if r.body_required], ids=named)
async def test_a_missing_body_is_refused(alice: httpx.AsyncClient, route: Route) -> None:
    error_of(await alice.request(route.method, route.url), 400, "invalidInput")


@pytest.mark.parametrize("route", [r for r in ROUTES if "{" in r.path], ids=named)
async def test_an_id_that_cannot_be_one_is_no_error_of_ours(alice: httpx.AsyncClient, route: Route) -> None:
    for bad in ("%00", "a%20b", "a%23b", "a%5Cb", "%3Fa", "x" * 200, "%F0%9F%92%A9", "..%2F..", "'%20or%201%20eq%201"):
        path = route.path.removeprefix("/api")
        while "{" in path:
            path = path[: path.index("{")] + bad + path[path.index("}") + 1 :]
        answer = await alice.request(route.method, path)
        assert answer.status_code in (400, 404, 405), (path, answer.text)
        error_of(answer, answer.status_code)


async def test_an_unknown_path_answers_in_our_shape(nobody: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/connections/a/b/c", "/devices/x/y/z", "/"):
        error_of(await nobody.get(path), 404, "notFound")


@every_route
async def test_a_trailing_slash_is_another_path_and_redirects_nowhere(alice: httpx.AsyncClient, route: Route) -> None:
    answer = await alice.request(route.method, f"{route.url}/", headers={"Host": "evil.example"})
    error_of(answer, 404, "notFound")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
async def test_a_method_that_a_path_lacks_answers_in_our_shape(alice: httpx.AsyncClient, path: str) -> None:
    present = {route.method for route in ROUTES if route.path == path}
    url = next(route.url for route in ROUTES if route.path == path)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - present:
        answer = await alice.request(method, url)
        # Another path may match the same address (a fixed word where this one has an id).
        if answer.status_code != 405:
            assert "{" in path or any(r.method == method and r.path != path for r in ROUTES)
            continue
        error_of(answer, 405, "methodNotAllowed")
        assert answer.headers["allow"]


async def test_a_request_id_is_echoed_or_made(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/me", headers={"x-ms-client-request-id": "mine-1"})
    assert answer.headers["x-ms-client-request-id"] == "mine-1"
    assert answer.json()["error"]["requestId"] == "mine-1"
    for given in (None, "x" * 101, "tab\there"):
        headers = {"x-ms-client-request-id": given} if given else {}
        made = (await nobody.get("/me", headers=headers)).headers["x-ms-client-request-id"]
        assert len(made) == UUID_LENGTH


@every_route
async def test_an_answer_is_neither_cached_nor_sniffed(nobody: httpx.AsyncClient, route: Route) -> None:
    answer = await nobody.request(route.method, route.url)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_only_the_portals_origin_may_call_from_a_browser(nobody: httpx.AsyncClient, portal_url: str) -> None:
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}
    allowed = await nobody.options("/sites/a", headers={"Origin": portal_url, **asked})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == portal_url
    refused = await nobody.options("/sites/a", headers={"Origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in refused.headers
    plain = await nobody.get("/service/version", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in plain.headers


@pytest.mark.parametrize("route", [r for r in GUARDED if r.is_collection], ids=named)
async def test_a_collection_takes_the_paging_parameters(alice: httpx.AsyncClient, route: Route) -> None:
    assert {"$top", "$skiptoken", "$orderby", "$count"} <= route.query_names
    answer = await alice.request(route.method, route.url, params={"$top": 1, "$count": "true"})
    assert answer.status_code in (200, 404), answer.text
    if answer.status_code == 200:
        assert isinstance(answer.json()["value"], list)
    for name, bad in (("$top", "0"), ("$top", "1001"), ("$top", "x"), ("$count", "maybe"), ("$skiptoken", "%%%")):
        refusal = await alice.request(route.method, route.url, params={name: bad})
        assert refusal.status_code == 400, (name, refusal.text)
    unknown = await alice.request(route.method, route.url, params={"$orderby": "nonsense"})
    assert unknown.status_code in (400, 404)


async def made(alice: httpx.AsyncClient, count: int) -> list[str]:
    ids = []
    for number in range(count):
        body = {"name": f"c{number}", "partnerTenantId": TENANT}
        ids.append(str((await alice.post("/connections", json=body)).json()["id"]))
    return ids


async def test_pages_hold_each_item_once_and_their_links_are_absolute(
    fresh_alice: httpx.AsyncClient, host: Host
) -> None:
    await made(fresh_alice, 5)
    seen: list[str] = []
    url = "/connections?$top=2&$orderby=name desc&$count=true"
    for expected in (2, 2, 1):
        page = (await fresh_alice.get(url)).json()
        assert (len(page["value"]), page["count"]) == (expected, 5)
        seen += [item["name"] for item in page["value"]]
        url = page.get("nextLink", "")
        assert (url == "") == (expected == 1)
        assert not url or url.startswith(f"{host.url}/api/connections?")
    assert seen == ["c4", "c3", "c2", "c1", "c0"]


async def test_pages_stay_in_place_when_items_come_and_go(fresh_alice: httpx.AsyncClient) -> None:
    await made(fresh_alice, 4)
    first = (await fresh_alice.get("/connections?$top=2")).json()
    await fresh_alice.post("/connections", json={"name": "b", "partnerTenantId": TENANT})
    second = (await fresh_alice.get(first["nextLink"])).json()
    assert [item["name"] for item in second["value"]] == ["c2", "c3"]


async def test_a_skiptoken_of_another_order_is_refused(fresh_alice: httpx.AsyncClient) -> None:
    await made(fresh_alice, 3)
    link = (await fresh_alice.get("/connections?$top=1")).json()["nextLink"]
    error_of(await fresh_alice.get(f"{link}&$orderby=createdAt"), 400, "invalidInput")
    tokens: tuple[Any, ...] = ([1], ["name False", 1, 2, 3], ["name False", 1, [], {}], {}, "x")
    for forged in tokens:
        token = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        error_of(await fresh_alice.get(f"/connections?$skiptoken={token}"), 400, "invalidInput")


async def test_a_repeated_key_gives_the_first_answer_again(fresh_alice: httpx.AsyncClient) -> None:
    body = {"name": "once", "partnerTenantId": TENANT}
    headers = {"Idempotency-Key": f"k-{time.time()}"}
    first = await fresh_alice.post("/connections", json=body, headers=headers)
    again = await fresh_alice.post("/connections", json=body, headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    for header in ("etag", "location"):
        assert first.headers[header] == again.headers[header]
    other = await fresh_alice.post("/connections", json=body | {"name": "other"}, headers=headers)
    error_of(other, 409, "idempotencyKeyReused")
    assert len((await fresh_alice.get("/connections")).json()["value"]) == 1


async def test_a_key_is_of_one_route(fresh_alice: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "same"}
    body = {"name": "once", "partnerTenantId": TENANT}
    connection = (await fresh_alice.post("/connections", json=body, headers=headers)).json()
    answer = await fresh_alice.post(f"/connections/{connection['id']}/authorize", headers=headers)
    assert answer.status_code == 200


async def test_a_key_with_another_query_is_refused(fresh_alice: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "export"}
    first = await fresh_alice.post("/devices/export?clientName=Contoso&clientName=Fabrikam&search=a", headers=headers)
    again = await fresh_alice.post("/devices/export?search=a&clientName=Fabrikam&clientName=Contoso", headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    for other in ("?clientName=Fabrikam", ""):
        answer = await fresh_alice.post(f"/devices/export{other}", headers=headers)
        error_of(answer, 409, "idempotencyKeyReused")


async def test_a_key_is_of_the_callers_present_sites(
    fresh_alice: httpx.AsyncClient, api: ApiFor, control: httpx.AsyncClient
) -> None:
    person = (await control.get("/world")).json()["people"]["bob"]["objectId"]
    bob, headers = await api("bob"), {"Idempotency-Key": "export"}
    for name in "ab":
        (await fresh_alice.put(f"/sites/{name}", json={"clientName": name, "siteName": "HQ"})).raise_for_status()
    ids = []
    for sites in (["a", "b"], ["b", "a"], ["b"]):
        (await fresh_alice.put(f"/access/{person}", json={"siteIds": sites})).raise_for_status()
        ids.append((await bob.post("/devices/export", headers=headers)).json()["id"])
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


async def test_a_key_is_of_the_callers_present_permissions(
    fresh_alice: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    ids = []
    for roles in (
        ["CloudDevices.Read", "Alerts.Manage"],
        ["Alerts.Manage", "CloudDevices.Read"],
        ["CloudDevices.Read"],
    ):
        token = (await control.post("/tokens", json={"person": "bob", "roles": roles})).json()["accessToken"]
        headers = {"Idempotency-Key": "export", "Authorization": f"Bearer {token}"}
        ids.append((await fresh_alice.post("/devices/export", headers=headers)).json()["id"])
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


async def test_a_key_ends_after_a_day(fresh_alice: httpx.AsyncClient, fresh_app: Host) -> None:
    body = {"name": "daily", "partnerTenantId": TENANT}
    headers = {"Idempotency-Key": "daily"}
    first = (await fresh_alice.post("/connections", json=body, headers=headers)).json()
    await fresh_app.advance(24 * 3600 + 1)
    second = (await fresh_alice.post("/connections", json=body, headers=headers)).json()
    assert first["id"] != second["id"]


async def test_an_error_is_not_kept_under_its_key(fresh_alice: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "later"}
    body = {"name": "x", "partnerTenantId": TENANT, "cloud": "AzureChinaCloud"}
    error_of(await fresh_alice.post("/connections", json=body, headers=headers), 400)
    right = {"name": "x", "partnerTenantId": TENANT}
    assert (await fresh_alice.post("/connections", json=right, headers=headers)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_of_a_wrong_length_is_refused(alice: httpx.AsyncClient, key: str) -> None:
    body = {"name": "x", "partnerTenantId": TENANT}
    error_of(await alice.post("/connections", json=body, headers={"Idempotency-Key": key}), 400, "invalidInput")


@pytest.mark.parametrize("route", [r for r in GUARDED if r.method == "POST"], ids=named)
def test_a_post_that_acts_takes_an_idempotency_key(route: Route) -> None:
    headers = {row["name"] for row in route.operation.get("parameters", ()) if row["in"] == "header"}
    assert "Idempotency-Key" in headers


async def test_a_stale_version_changes_nothing(fresh_alice: httpx.AsyncClient) -> None:
    path = f"/access/{TENANT}"
    for name in "abcde":
        await fresh_alice.put(f"/sites/{name}", json={"clientName": name, "siteName": "HQ"})
    first = (await fresh_alice.put(path, json={"siteIds": ["a"]})).headers["etag"]
    assert (await fresh_alice.get(path)).headers["etag"] == first
    second = await fresh_alice.put(path, json={"siteIds": ["b"]}, headers={"If-Match": first})
    assert second.status_code == 200
    stale = await fresh_alice.put(path, json={"siteIds": ["c"]}, headers={"If-Match": first})
    error_of(stale, 412, "preconditionFailed")
    assert (await fresh_alice.get(path)).json()["siteIds"] == ["b"]
    assert (await fresh_alice.put(path, json={"siteIds": ["d"]}, headers={"If-Match": "*"})).status_code == 200
    assert (await fresh_alice.put(path, json={"siteIds": ["e"]})).status_code == 200


async def test_if_match_on_what_is_not_there_fails(fresh_alice: httpx.AsyncClient) -> None:
    answer = await fresh_alice.put(f"/access/{TENANT}", json={"siteIds": []}, headers={"If-Match": "*"})
    error_of(answer, 412, "preconditionFailed")


async def test_the_documentation_page_is_served(nobody: httpx.AsyncClient) -> None:
    page = await nobody.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text, "it needs nothing from elsewhere"
    assert "url: 'openapi.json'" in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"docs/static/{name}" in page.text
        assert (await nobody.get(f"/docs/static/{name}")).status_code == 200
    assert (await nobody.get("/docs/static/..%2f__init__.py")).status_code == 404, "nothing beside the folder is served"

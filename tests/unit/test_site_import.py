"""Sites out of CSV: what a row becomes, and that the map of sites never overlaps."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import site_import
from shared.errors import Conflict, InvalidInput
from shared.sites import Site, SiteMap, mapping
from shared.tenants import Tenant

SYNCED = Tenant(
    id="11111111-0000-4000-8000-000000000001",
    display_name="Contoso",
    default_domain="contoso.example",
    connection_id="c",
    relationship="reseller",
    status="synced",
)


def site(name: str, tenant: str | None = None, subscriptions: list[str] | None = None) -> Site:
    return Site(id=name, client_name=name, site_name="HQ", tenant_id=tenant, subscription_ids=subscriptions)


def results(text: str, *present: Site) -> list[tuple[str, str | None, str | None]]:
    rows = site_import.read(text)
    _, done = site_import.decide(SiteMap(present), rows, [SYNCED])
    return [(row.site_id, row.result, row.error) for row in done]


def test_semicolons_quotes_and_spaces_are_understood() -> None:
    [row] = site_import.read('client;site;tenant\n"Smith; Sons"; HQ ;\n')
    assert (row.client_name, row.site_name, row.tenant) == ("Smith; Sons", "HQ", "")


@pytest.mark.parametrize("text", ["", "client\nx\n", "site,client\na,b\n", "client,site,colour\na,b,c\n"])
def test_another_header_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        site_import.read(text)


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(InvalidInput):
        site_import.read("client,site\n" + "a,b\n" * (site_import.MAX_ROWS + 1))


def test_the_same_names_are_the_same_site_whatever_their_case() -> None:
    assert results("client,site\nCONTOSO,hq\n", site("contoso").changed(client_name="Contoso")) == [
        ("contoso", "updated", None)
    ]
    assert results("client,site\nNew,HQ\nnew,hq\n") == [("new-hq", "created", None), ("new-hq", "created", None)]


def test_an_id_that_another_site_has_is_not_taken() -> None:
    [(made, result, _)] = results("client,site\nContoso,HQ\n", site("contoso-hq").changed(client_name="Other"))
    assert result == "created"
    assert made.startswith("contoso-hq-")


def test_the_id_of_a_deleted_site_is_not_taken_however_often_that_was() -> None:
    gone: list[str] = []
    for _ in range(4):
        _, [row] = site_import.decide(SiteMap([], gone), site_import.read("client,site\nContoso,HQ\n"), [])
        assert (row.result, row.site_id.startswith("contoso-hq"), row.site_id in gone) == ("created", True, False)
        gone.append(row.site_id)


def test_two_rows_cannot_map_one_tenant() -> None:
    rows = results("client,site,tenant\nA,HQ,Contoso\nB,HQ,CONTOSO.example\n")
    assert [row[1] for row in rows] == ["created", "failed"]
    assert "subscriptions of Contoso already" in str(rows[1][2])


def test_a_site_mapped_already_keeps_what_it_was_narrowed_to() -> None:
    narrowed = site("contoso", SYNCED.id, ["s1"]).changed(client_name="Contoso")
    assert results("client,site,tenant\nContoso,HQ,Contoso\n", narrowed) == [("contoso", "unchanged", None)]


@given(st.text(max_size=80), st.text(max_size=80), st.sets(st.text(max_size=5)))
def test_every_derived_id_is_a_valid_one_and_new(client: str, name: str, taken: set[str]) -> None:
    made = site_import.derive_id(client, name, taken)
    assert re.fullmatch(r"[a-z0-9-]{1,63}", made)
    assert made not in taken


NAMES = st.sampled_from(["a", "b", "c", "d"])
WANTED = st.tuples(
    NAMES, st.sampled_from(["t", "u"]), st.one_of(st.none(), st.lists(st.sampled_from("123"), min_size=1))
)


@given(st.lists(WANTED, max_size=12))
def test_however_sites_are_mapped_no_subscription_has_two(wanted: list[tuple[str, str, list[str] | None]]) -> None:
    rows = {name: site(name) for name in "abcd"}
    for name, tenant, subscriptions in wanted:
        narrowed = sorted(set(subscriptions)) if subscriptions else None
        try:
            mapping(SiteMap(rows.values()), rows[name], tenant, narrowed)
        except Conflict:
            continue
        rows[name] = rows[name].changed(tenant_id=tenant, subscription_ids=narrowed)
    for tenant in "tu":
        for subscription in "123":
            assert sum(row.covers(tenant, subscription) for row in rows.values()) <= 1

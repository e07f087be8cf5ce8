"""Graph's $filter language: whatever a client writes is understood or refused, never an accident."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.graph.odata import parse_filter
from sandbox.wire import CloudError

ITEM: dict[str, Any] = {
    "displayName": "Contoso's Production",
    "status": "active",
    "count": 3,
    "enabled": True,
    "nothing": None,
    "customer": {"tenantId": "AB-CD"},
    "names": ["one", "two"],
    "createdDateTime": "2026-01-02T03:04:05Z",
}
WORDS = [*ITEM, "customer/tenantId", "names/any", "eq", "ne", "gt", "le", "in", "and", "or", "not", "startswith"]
TOKENS = st.sampled_from(
    [*WORDS, "(", ")", ",", ":", "n", "'x'", "''", "'", "null", "true", "7", "2026-01-01T00:00:00Z"]
)


def holds(text: str) -> bool:
    predicate, _ = parse_filter(text, frozenset(ITEM), "microsoft.graph.thing")
    return predicate(ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "status eq 'ACTIVE'",
        "displayName eq 'Contoso''s Production'",
        "customer/tenantId eq 'ab-cd' and status eq 'active'",
        "status eq 'x' or count ge 3",
        "not (status eq 'x')",
        "nothing eq null",
        "enabled eq true and count in (1, 3)",
        "names/any(n:n eq 'two')",
        "endswith(displayName,'production') and contains(displayName,'so''s')",
        "createdDateTime gt 2026-01-01T00:00:00Z",
        "STATUS eq 'active'",
    ],
)
def test_a_true_filter_holds(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    ["status", "status eq", "status eq 'x", "status is 'x'", "(status eq 'x'", "status eq 'x')", "status gt null", ""],
)
def test_a_broken_filter_is_a_bad_request(text: str) -> None:
    with pytest.raises(CloudError) as caught:
        holds(text)
    assert (caught.value.status, caught.value.code) == (400, "BadRequest")


@given(st.one_of(st.text(max_size=40), st.lists(TOKENS, max_size=12).map(" ".join)))
def test_any_text_is_understood_or_refused(text: str) -> None:
    refused: CloudError | None = None
    try:
        holds(text)
    except CloudError as error:
        refused = error
    assert refused is None or (refused.status, refused.code) == (400, "BadRequest")

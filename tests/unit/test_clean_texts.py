"""What is struck out of a text, and what stays."""

from __future__ import annotations

import time

import pytest

from shared.redaction import MAX_CHARS, clean


@pytest.mark.parametrize(
    "text, shown",
    [
        (
            "POST https://x.logic.azure.com:443/w/4f?sig=Ab1 failed",
            "POST https://x.logic.azure.com:443/*** failed",
        ),
        ("for url 'https://user:word@psa.example/v4_6?code=1'.", "for url 'https://psa.example/***'."),
        ("Authorization: Bearer eyJ0eXAi.eyJhdWQi.c2ln", "Authorization: Bearer ***"),
        ("client_secret=abc&grant_type=x", "client_secret=***&grant_type=x"),
        ("code=4f, state=9a", "code=***, state=***"),
        ("Alice <alice.o'hara@contoso.com> said", "Alice <***> said"),
        ("the token 0.AXoAfzk2YTJkNzQtNGZmMi00 is gone", "the token *** is gone"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "***"),
        ("signed by 'whsec_ab/cd+efgh==', twice", "signed by '***', twice"),
        ('{"password": "a b, c", "name": "x"}', '{"password": "***", "name": "x"}'),
        (r"{\"client_secret\": \"a\\\"b c\", \"name\": \"x\"}", r"{\"client_secret\": \"***\", \"name\": \"x\"}"),
        ("{'apiKey': 'short', 'n': 1}", "{'apiKey': '***', 'n': 1}"),
        ('{"token": "cut off in the mid', '{"token": "***'),
        ("x-functions-key: abc-def\nhost: x", "x-functions-key: ***\nhost: x"),
        ('{"key": {"secret":"abc"}}', '{"key": ***"secret":"***"}}'),
        ("sandbox~8Q~fdB3clientSecretOf", "***"),
    ],
)
def test_what_looks_like_a_secret_or_an_address_is_struck_out(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "subscription eb94a266-47b3-5343-a3ee-071502b16e3f cannot be read: AuthorizationFailed",
        "The sink f16de49ffa0e4c13a469d7992e4b751c (Desk) is switched off: The receiver answered 410: it is gone.",
        '{"error": {"code": "AuthorizationFailed", "state": "Failed"}}, code: 404, state: running',
        "device eb94a26647b35343a3ee071502b16e3fbtl6al6xaavsyqndmdsy since 2026-11-30 12:57 UTC",
        "operation 202611-251606257581033a6d680df5d27, MissingSubscriptionRegistration",
        "/subscriptions/eb94a266-47b3-5343-a3ee-071502b16e3f/resourceGroups/rg-data-prod",
    ],
)
def test_what_people_need_to_read_stays(text: str) -> None:
    assert clean(text) == text


def test_a_long_text_is_cut() -> None:
    assert len(clean("a " * MAX_CHARS)) == MAX_CHARS


@pytest.mark.parametrize("text", ["a" * 50_000, "key" * 20_000, "key: '" + "\\" * 50_000])
def test_a_text_that_is_hard_to_search_costs_little(text: str) -> None:
    begun = time.process_time()
    clean(text)
    assert time.process_time() - begun < 2

"""Secrets that receivers repeat are struck out however they are written, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sinks.redaction import STRUCK, strike

SECRET = 'p+ss/w&rd "ä" <1>'
URL = "https://prod-1.example/workflows/abc/triggers/manual/paths/invoke?api-version=2016-10-01&sig=aB3%2Fd-9xYz_q"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        html.escape(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_struck_out_however_it_is_written(written: str) -> None:
    assert strike(f"400: secret={written}; try again", [SECRET]) == f"400: secret={STRUCK}; try again"


@pytest.mark.parametrize(
    "said",
    [
        URL,
        URL.partition("example")[2],
        "/workflows/abc/triggers/manual/paths/invoke",
        "aB3%2Fd-9xYz_q",
        "aB3/d-9xYz_q",
    ],
)
def test_of_a_url_nothing_that_works_as_a_key_is_left(said: str) -> None:
    struck = strike(f"Cannot serve {said} here.", [URL])
    assert struck == f"Cannot serve {STRUCK} here."


def test_a_key_in_a_path_is_struck_out_and_a_word_is_not() -> None:
    url = "https://hooks.example/services/T00/aaaabbbbccccdddd"
    assert strike("no services for AAAABBBBccccdddd", [url]) == f"no services for {STRUCK}"


def test_a_secret_that_is_cut_off_leaves_no_beginning() -> None:
    assert strike("No such key: 0123456789abc", ["0123456789abcdef"]) == f"No such key: {STRUCK}"
    assert strike("No such key: 012", ["0123456789abcdef"]) == "No such key: 012"


def test_what_is_no_secret_stays() -> None:
    text = "HaloPSA refuses the sign-in: invalid_client"
    assert strike(text, ["", "a", "nothing of it"]) == text
    assert strike(text, []) == text


@given(st.text(min_size=4, max_size=40), st.text(max_size=60), st.text(max_size=60))
def test_no_secret_is_ever_left(secret: str, before: str, after: str) -> None:
    assert secret not in strike(before + secret + after, [secret]).replace(STRUCK, "\0")

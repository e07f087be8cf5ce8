"""What a sink may be pointed at: the public internet, over TLS, and nothing of our own network."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.sinks import public_address


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "169.254.169.254",
        "168.63.129.16",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::7f00:1",
        "::ffff:0:127.0.0.1",
        "fec0::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "100:0:0:1::1",
        "192.88.99.1",
        "192.0.0.8",
        "192.0.0.9",
        "192.0.2.1",
        "192.175.48.1",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
        "2001:20::1",
        "2001:db8::1",
        "2620:4f:8000::1",
        "64:ff9b:1::1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:a00:1::",
    ],
)
async def test_addresses_of_our_own_network_are_refused(address: str) -> None:
    assert not public_address.is_public(ipaddress.ip_address(address))
    with pytest.raises(InvalidInput):
        await public_address.resolve(address, 443)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:4700::1111", "2001:4860:4860::8888", "2a01:111::1", "::ffff:93.184.216.34"]
)
async def test_addresses_of_the_internet_are_taken(address: str) -> None:
    assert await public_address.resolve(address, 443) == ipaddress.ip_address(address)


@pytest.mark.parametrize("name", ["localhost", "no-such-name.invalid"])
async def test_a_name_that_leads_inside_or_nowhere_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        await public_address.resolve(name, 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "/relative",
        "https://user:password@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com/#fragment",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://ex\u00e4mple.com/",
        "https://[::1",
        "https://example.com/" + "a" * 4000,
    ],
)
def test_a_url_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        public_address.parse(url, allow_private=False)
    assert caught.value.target == "settings.url"


def test_plain_http_is_taken_where_settings_allow_it() -> None:
    assert public_address.parse("http://localhost:8400/x", allow_private=True).port == 8400


@given(st.text(max_size=200))
def test_any_text_as_a_url_is_parsed_or_refused(text: str) -> None:
    try:
        parts = public_address.parse(text, allow_private=False)
    except InvalidInput:
        return
    assert parts.scheme == "https"
    assert parts.hostname

"""Keeps what users configure from reaching into our own network: only public addresses, checked where we connect.

A name may resolve to something else between the check and the connection, so the connection is made to the very
address that was checked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from shared.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AZURE_PLATFORM = ipaddress.ip_address("168.63.129.16")
"""Public by number, but the agent of the Azure host: learn.microsoft.com/azure/virtual-network (168.63.129.16)."""
_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64, RFC 6052
    ipaddress.ip_network("64:ff9b:1::/48"),  # local NAT64, RFC 8215
    ipaddress.ip_network("2002::/16"),  # 6to4, RFC 3056
    ipaddress.ip_network("2001::/32"),  # Teredo, RFC 4380
)
"""IPv6 that stands for an IPv4 address, which may be a private one."""
DNS_SECONDS = 5
MAX_URL_CHARS = 4000


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, and not of a private, local or translated range."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast and address != AZURE_PLATFORM


def parse(url: str, *, allow_private: bool) -> SplitResult:
    """The parts of an absolute URL that may be sent to. Raises InvalidInput with what to change."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput("The URL is malformed.", target="settings.url") from error
    if len(url) > MAX_URL_CHARS or not parts.hostname or port == 0 or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise InvalidInput("The URL must be absolute, without spaces.", target="settings.url")
    if not parts.hostname.isascii():
        raise InvalidInput("Write the host name in its ASCII form (xn--...).", target="settings.url")
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise InvalidInput("The URL must begin with https://.", target="settings.url")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("The URL must not carry a user name or password.", target="settings.url")
    if parts.fragment:
        raise InvalidInput("The URL must not have a fragment.", target="settings.url")
    return parts


async def resolve(host: str, port: int) -> Address:
    """The address to connect to. Raises InvalidInput when the name has none, or any that is not public."""
    try:
        return _checked(host, [ipaddress.ip_address(host)])
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(DNS_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise InvalidInput(f"The name {host} has no address.", target="settings.url") from error
    return _checked(host, [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found])


def _checked(host: str, addresses: list[Address]) -> Address:
    if not addresses or not all(is_public(address) for address in addresses):
        raise InvalidInput(f"{host} is not on the public internet.", target="settings.url")
    return addresses[0]

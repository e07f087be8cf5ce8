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
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared by carriers, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, and the limited broadcast, RFC 1112, RFC 8190
        "2001::/23",  # IETF protocol assignments, RFC 2928; Teredo, RFC 4380
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # stands for IPv4: 6to4, RFC 3056
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""Sources: iana.org/assignments/iana-ipv4-special-registry, iana.org/assignments/iana-ipv6-special-registry.

The ipaddress module knows the registries as they were when its Python was released, so they are named here.
"""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to the internet (iana.org/assignments/ipv6-address-space): whatever lies outside is
loopback, private, link-local, site-local, multicast, a segment (5f00::/16) or stands for IPv4 (64:ff9b::/96)."""
DNS_SECONDS = 5
MAX_URL_CHARS = 4000


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, and not of a private, local or translated range."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _UNICAST:
            return False
    return address.is_global and address != AZURE_PLATFORM and not any(address in network for network in _NOT_PUBLIC)


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

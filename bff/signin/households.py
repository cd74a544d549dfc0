"""Who is behind an address: what limits are counted for."""

import ipaddress
from typing import Final

NETWORK_OF_ONE_HOUSEHOLD: Final = 64


def household(address: str) -> str:
    """Return who is behind an address: a household has 2^64 of them in IPv6 (RFC 6177).

    IPv4 as it is, also where it comes mapped into IPv6; what is no address is itself.
    """
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), NETWORK_OF_ONE_HOUSEHOLD), strict=False))

"""Which base URLs a bookmaker may be asked under: what a setting says is checked before anything is sent.

Answers never choose a host (redirects are not followed, ids are quoted into paths), so this is the one door.
"""

from __future__ import annotations

import ipaddress
import socket

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def base_address(text: str, *, is_live: bool) -> httpx.URL:
    """The base URL that ``text`` names. ``is_live``: a real site is asked, not a simulator.

    Raises ``ValueError`` for what is no http(s) address, for one with an account in it, and for an address of the
    machine's own neighbourhood that is no site: link-local (where clouds tell secrets), multicast, unspecified; for a
    live source also for private networks, and for anything unencrypted. Loopback may always be asked. The message
    never repeats an account.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"not an http address: {error}") from None
    if url.userinfo:
        raise ValueError(f"the address of {url.host or 'a bookmaker'} has an account in it; no bookmaker asks for one")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"not an http address: {text!r}")
    address = _literal(url.host)
    if address is not None and (address.is_link_local or address.is_multicast or address.is_unspecified):
        raise ValueError(f"{url.host} is no address of a site: it is link-local, multicast or unspecified")
    if is_live and not is_loopback(url.host):
        if address is not None and not address.is_global:
            raise ValueError(f"{url.host} is a private address, and with ODDS_SOURCE=live a real site is to be asked")
        if url.scheme != "https":
            raise ValueError(f"{url.host} is to be asked unencrypted; with ODDS_SOURCE=live give an https address")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    address = _literal(host)
    return host == "localhost" if address is None else address.is_loopback


def _literal(host: str) -> Address | None:
    """The address that a host spells out, in any way that the system's resolver reads; None for a name."""
    try:
        address: Address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # 127.1, 2130706433 and 0x7f.0.0.1 are addresses, too.
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address

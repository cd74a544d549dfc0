"""Who may open a guest socket: the rules of the upgrade, the same for every shell, before a 101."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bff.errors import OriginRefusedError, RequestRefusedError, TooManyConnectionsError
from bff.guests.relay_hands import Visitor
from bff.ports import Entropy
from bff.signin.cookie_header import SESSION_COOKIE, only_cookie

PATH: Final = "/ws/guest"
GUEST_COOKIE: Final = "__Host-bff-guest"
COOKIE_LIFE: Final = timedelta(days=400)
"""As long as browsers keep any cookie (RFC 6265bis section 5.6.1)."""

COME_AGAIN: Final = timedelta(seconds=5)
KEY_BYTES: Final = 16
ADDRESS_CHARS: Final = 64
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRequest:
    """What a shell has read. `values` returns every value of a header, whatever its case."""

    method: str
    peer: str
    values: Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRules:
    """Which pages may come, how cookies are set, and how many proxies are believed."""

    origins: frozenset[str]
    cross_site: bool = False
    trusted_proxies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The visitor, and the `Set-Cookie` of the answer if the browser is new here."""

    visitor: Visitor
    set_cookie: str | None = field(default=None, repr=False)


def admit(
    request: UpgradeRequest, rules: UpgradeRules, *, entropy: Entropy, room: bool
) -> Admission:
    """Admit the visitor, or say why not.

    Raises RequestRefusedError (no upgrade of RFC 6455), OriginRefusedError, CookieTossedError, and
    TooManyConnectionsError if there is no `room`: in this order, so that a stranger learns
    nothing about how busy we are.
    """
    _refuse_no_upgrade(request)
    origin = _one(request, "Origin")
    if origin not in rules.origins:
        raise OriginRefusedError(f"guest socket: origin {str(origin)[:100]!r}")
    cookies = "; ".join(request.values("Cookie"))
    secret = only_cookie(cookies, GUEST_COOKIE)
    session = only_cookie(cookies, SESSION_COOKIE)
    if not room:
        raise TooManyConnectionsError("guest sockets", retry_after=COME_AGAIN)
    # Anything that is not of our making is as good as none.
    known = secret is not None and _SECRET.fullmatch(secret) is not None
    browser = secret if secret is not None and known else entropy.token()
    visitor = Visitor(
        origin=origin,
        address=_address(request, rules.trusted_proxies),
        browser_secret=browser,
        session_token=session,
    )
    return Admission(
        visitor=visitor,
        set_cookie=None if known else _guest_cookie(browser, cross_site=rules.cross_site),
    )


def _refuse_no_upgrade(request: UpgradeRequest) -> None:
    """RFC 6455 section 4.2.1."""
    if request.method != "GET":
        raise RequestRefusedError("guest socket: not a GET")
    if "websocket" not in _tokens(request, "Upgrade"):
        raise RequestRefusedError("guest socket: no Upgrade to websocket")
    if "upgrade" not in _tokens(request, "Connection"):
        raise RequestRefusedError("guest socket: Connection does not say Upgrade")
    if _one(request, "Sec-WebSocket-Version") != "13":
        raise RequestRefusedError("guest socket: not version 13 of the protocol")
    if not _is_key(_one(request, "Sec-WebSocket-Key") or ""):
        raise RequestRefusedError("guest socket: Sec-WebSocket-Key is missing or wrong")


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.encode("ascii"), validate=True)) == KEY_BYTES
    except (UnicodeEncodeError, binascii.Error):
        return False


def _one(request: UpgradeRequest, name: str) -> str | None:
    values = request.values(name)
    return values[0].strip() if len(values) == 1 else None


def _tokens(request: UpgradeRequest, name: str) -> set[str]:
    """Firefox says `keep-alive, Upgrade`."""
    listed = ",".join(request.values(name)).lower()
    return {token.strip() for token in listed.split(",")}


def _address(request: UpgradeRequest, hops: int) -> str:
    """Return the address that the outermost trusted proxy saw; without one, the peer's.

    What stands before it in X-Forwarded-For is a stranger's word.
    """
    listed = ",".join(request.values("X-Forwarded-For")).split(",") if hops else []
    address = listed[-hops].strip() if hops and len(listed) >= hops else ""
    return (address or request.peer)[:ADDRESS_CHARS]


def _guest_cookie(secret: str, *, cross_site: bool) -> str:
    same_site = "SameSite=None; Partitioned" if cross_site else "SameSite=Strict"
    life = int(COOKIE_LIFE.total_seconds())
    return f"{GUEST_COOKIE}={secret}; Max-Age={life}; Path=/; Secure; HttpOnly; {same_site}"

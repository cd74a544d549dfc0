"""What sign-in remembers, as sealed JSON in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NewType

from bff.ports import TokenSet

SessionToken = NewType("SessionToken", str)
"""The secret in the cookie: 256 random bits as base64url."""

SessionKey = NewType("SessionKey", str)
"""The hash of a SessionToken: names a session in the store and in logs, opens nothing."""


class EndReason(StrEnum):
    """Why a session ended, as the page is told."""

    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    PROVIDER_LOGOUT = "provider_logout"
    REFUSED = "refused"
    EXPIRED = "expired"
    REPLACED = "replaced"
    # Of a guest's conversation, and of no sign-in: it was ended in one of several tabs.
    CONVERSATION_ENDED = "conversation_ended"


class EndedBy(StrEnum):
    """Who or what ended a session. Whoever ends one says it; the audit log tells it."""

    USER = "user"
    SAME_USER = "same_user"  # has signed in again on this browser
    OTHER_USER = "other_user"  # has signed in on this browser
    CLIENT = "client"  # a relying party, at our end_session_endpoint
    OPERATOR = "operator"
    PROVIDER = "provider"  # back-channel logout
    RENEWAL_REFUSED = "renewal_refused"
    UNFINISHED = "unfinished"  # its sign-in was cut short: it has no tokens
    EXPIRY = "expiry"
    ERASURE = "erasure"

    @property
    def reason(self) -> EndReason:
        """Return what the pages of the session are told."""
        return _TOLD[self]


_TOLD: Final[Mapping[EndedBy, EndReason]] = MappingProxyType(
    {
        EndedBy.USER: EndReason.SIGNED_OUT,
        EndedBy.SAME_USER: EndReason.REPLACED,
        EndedBy.OTHER_USER: EndReason.SIGNED_OUT,
        EndedBy.CLIENT: EndReason.SIGNED_OUT,
        EndedBy.OPERATOR: EndReason.REVOKED,
        EndedBy.PROVIDER: EndReason.PROVIDER_LOGOUT,
        EndedBy.RENEWAL_REFUSED: EndReason.REFUSED,
        EndedBy.UNFINISHED: EndReason.REFUSED,
        EndedBy.EXPIRY: EndReason.EXPIRED,
        EndedBy.ERASURE: EndReason.REVOKED,
    }
)


class Surface(StrEnum):
    """Where the sign-in happens: the page itself leaves, or a window or frame beside it."""

    REDIRECT = "redirect"
    POPUP = "popup"
    MODAL = "modal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who signed in: the provider's name and subject, and the claims that Genesys may see."""

    provider: str
    subject: str
    pairwise: str
    claims: dict[str, str]

    @property
    def name(self) -> str:
        """Return what to call this person."""
        parts = (self.claims.get("given_name", ""), self.claims.get("family_name", ""))
        joined = " ".join(part for part in parts if part)
        return self.claims.get("name") or joined or self.claims.get("email", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """One signed-in browser. Its tokens lie apart, in the vault."""

    key: SessionKey
    person: Person
    created_at: datetime
    seen_at: datetime
    idle_limit: timedelta
    absolute_limit: timedelta
    provider_sid: str | None = None
    auth_time: datetime | None = None
    acr: str | None = None
    # When the provider signed the ID token, by its own clock: compared with its logout tokens.
    issued_at: datetime | None = None
    # Whether its end is watched (`session_expiry`); one of an older version is not.
    watched: bool = False

    @property
    def began_at(self) -> datetime:
        """Return when the provider vouched for it, by the provider's clock if that is known."""
        return self.issued_at or self.created_at

    @property
    def ends_at(self) -> datetime:
        """Return when it ends if nobody uses it again."""
        return min(self.seen_at + self.idle_limit, self.created_at + self.absolute_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultEntry:
    """The tokens of one session.

    `confirmed_at` is when the provider last vouched for this person; `spending_since` marks a
    refresh token that may be spent; until `down_until` nobody asks the provider again. `closed`
    tokens are those of a session that ends: no renewal saves over them.
    """

    provider: str
    tokens: TokenSet
    confirmed_at: datetime
    fence: int = 0
    spending_since: datetime | None = None
    down_until: datetime | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A sign-in on its way: everything that the answer must fit."""

    provider: str
    browser: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    return_url: str
    surface: Surface
    # Comes before every logout notice that is written after this sign-in started.
    since: int = 0
    transaction: str | None = None
    prompt: str | None = None
    max_age: timedelta | None = None
    acr_values: tuple[str, ...] = ()
    previous: SessionKey | None = None
    # Whose redirect URI the answer must come to (`redirect_uris`).
    callback: str | None = None
    # The sign-in itself must not be older, where the operator wants one each time.
    not_before: datetime | None = None
    # Passthrough has sent somebody here, because its own request was refused; it will not again.
    second_try: bool = False

"""One record for everything that grows from one code: the code, its tokens, what was spent."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bff.broker.opaque_tokens import OpaqueToken, TokenKind

MAX_ACCESS_TOKENS: Final = 4
MAX_SPENT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessMark:
    """An access token that may still be used."""

    stored: str = field(repr=False)
    scope: str
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentRefresh:
    """A refresh token that was used, and what leads from it to its successor."""

    stored: str = field(repr=False)
    salt: str = field(repr=False)
    scope: str
    spent_at: datetime
    access_ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """What one code gave to whom. To delete it is to revoke all of it at once.

    The code and its tokens share a record so that each step is one compare-and-set: there is no
    moment in which a code is used and its tokens are not yet known to whoever must revoke them.
    """

    session_key: str
    client_id: str
    redirect_uri: str
    scope: str
    challenge: str = field(repr=False)
    nonce: str | None = field(repr=False)
    code_stored: str = field(repr=False)
    redeemed: bool = False
    refresh_stored: str | None = field(default=None, repr=False)
    spent: tuple[SpentRefresh, ...] = ()
    access: tuple[AccessMark, ...] = ()

    def with_access(self, mark: AccessMark, *, now: datetime) -> "GrantRecord":
        """Return the record with one more access token; the dead and the oldest go."""
        living = tuple(known for known in self.access if now < known.ends_at)
        return replace(self, access=(*living, mark)[-MAX_ACCESS_TOKENS:])

    def without_access(self, token: OpaqueToken) -> "GrantRecord":
        """Return the record without that access token."""
        kept = (m for m in self.access if not token.is_stored_as(m.stored, TokenKind.ACCESS))
        return replace(self, access=tuple(kept))

    def living_access(self, token: OpaqueToken, *, now: datetime) -> AccessMark | None:
        """Return the mark of an access token that is good now."""
        for mark in self.access:
            if token.is_stored_as(mark.stored, TokenKind.ACCESS):
                return mark if now < mark.ends_at else None
        return None

    def spending(
        self, spent: SpentRefresh, *, next_stored: str, now: datetime, window: timedelta
    ) -> "GrantRecord":
        """Return the record after a rotation; what nobody may retry any more is forgotten."""
        retried = tuple(known for known in self.spent if now - known.spent_at < window)
        return replace(self, refresh_stored=next_stored, spent=(*retried, spent)[-MAX_SPENT:])

    def spent_lately(
        self, token: OpaqueToken, *, now: datetime, window: timedelta
    ) -> SpentRefresh | None:
        """Return how a refresh token was spent, while its answer may be asked for again."""
        for known in self.spent:
            if token.is_stored_as(known.stored, TokenKind.REFRESH):
                return known if now - known.spent_at < window else None
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SidMark:
    """Which session a `sid` claim stands for."""

    session_key: str

"""What goes in and out of the broker: the client, the wish for a code, codes and tokens."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerClient:
    """The one relying party. Its redirect URI is compared to the letter."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    post_logout_redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeWish:
    """What an authorization request asks for, checked already."""

    scope: str
    challenge: str = field(repr=False)
    nonce: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A fresh code and all that its redeemer needs; each field but the first two is a secret."""

    issuer: str
    redirect_uri: str
    code: str = field(repr=False)
    code_verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What the token endpoint gives."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str = field(repr=False)
    scope: str
    expires_in: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutHint:
    """An ID token that came back: the session it was made for, if anything is known of that."""

    session_key: str | None

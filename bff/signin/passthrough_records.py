"""What passthrough remembers: an errand to the provider for Genesys, and a code that waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bff.ports import IdentityProvider
from bff.signin.records import SessionKey, Surface


class Hint(StrEnum):
    """How a provider is told whose code we want."""

    AUTO = "auto"
    LOGIN_HINT = "login_hint"
    ID_TOKEN = "id_token"  # noqa: S105 - the name of a parameter
    SUBJECT = "subject"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesysAtProvider:
    """Genesys' client at one provider. Only requests are made in its name; it has the secret."""

    provider: IdentityProvider
    hint: Hint
    prompt: str | None = None
    max_age: timedelta | None = None
    acr_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassthroughPlan:
    """The clients by the names of their providers, our addresses, and how long codes wait."""

    clients: Mapping[str, GenesysAtProvider]
    redirect_uri: str
    visit_url: str
    code_life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """An authorization in Genesys' name on its way: everything that the answer must fit."""

    provider: str
    session: SessionKey
    browser: str = field(repr=False)
    nonce: str = field(default="", repr=False)
    code_verifier: str = field(default="", repr=False)
    return_url: str
    surface: Surface
    transaction: str | None = None
    silent: bool = False
    prompt: str | None = None
    # Whose redirect URI the answer must come to (`redirect_uris`).
    callback: str | None = None
    second_try: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCode:
    """A code of the provider that nobody has redeemed, and all that its redeemer needs."""

    auth_code: str = field(repr=False)
    redirect_uri: str
    code_verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    iss: str | None
    max_age: int | None
    came_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontChannel:
    """Where a hidden frame of the page gets the next code, and how long it may take."""

    key: str
    url: str
    life: timedelta

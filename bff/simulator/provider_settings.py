"""What the stand-in provider is told at its start: its name, its clients, how long things live."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Self

from bff.simulator.provider_people import SAMPLE_PEOPLE, Person

ACR_PASSWORD: Final = "urn:simulator:acr:password"  # noqa: S105 - a class of sign-in, no secret
ACR_STRONG: Final = "urn:simulator:acr:strong"
ACR_BY_STRENGTH: Final = (ACR_PASSWORD, ACR_STRONG)
SCOPES: Final = ("openid", "profile", "email", "offline_access")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderClient:
    """A relying party as it was registered; every address is compared character by character."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    name: str = ""
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    gets_refresh_tokens: bool = True

    @property
    def display_name(self) -> str:
        """Return the name as a page shows it."""
        return self.name or self.client_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long everything lives that the provider hands out."""

    access_token: timedelta = timedelta(minutes=15)
    id_token: timedelta = timedelta(minutes=15)
    refresh_token: timedelta = timedelta(days=30)
    code: timedelta = timedelta(minutes=1)
    sign_on: timedelta = timedelta(hours=12)
    sign_in_page: timedelta = timedelta(minutes=15)
    logout_token: timedelta = timedelta(minutes=2)

    @classmethod
    def fast(cls) -> Self:
        """Return lifetimes for people who do not want to wait a quarter of an hour."""
        return cls(access_token=timedelta(seconds=20))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """The provider as a whole. Without `issuer` it is set once the port is known."""

    clients: tuple[ProviderClient, ...] = ()
    issuer: str | None = None
    title: str = "Lantern ID"
    people: tuple[Person, ...] = SAMPLE_PEOPLE
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    # Strict by default: the second use of a refresh token ends its family at once.
    refresh_grace: timedelta = timedelta(0)
    # Some providers put the person's claims into the ID token, some only into userinfo.
    claims_in_id_token: bool = True
    id_token_on_refresh: bool = True
    # Refresh tokens die with the sign-on they came from, unless this says otherwise.
    logout_ends_refresh_tokens: bool = True

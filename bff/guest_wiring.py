"""The guest sessions put together: their adapters are known here and in `wiring` only."""

from dataclasses import dataclass
from typing import Final

from bff.adapters.genesys_cloud import GenesysCloud, PlatformRegistration
from bff.adapters.genesys_tokens import GenesysTokens
from bff.broker.provider import Broker
from bff.crypto.keyring import KeyRing
from bff.errors import SettingsError
from bff.guests.either_scheme import EitherScheme
from bff.guests.frame_keys import PageKeys
from bff.guests.frame_schemes import Scheme
from bff.guests.guest_archive import GuestArchive, NoArchive
from bff.guests.guest_binding import GuestBindings, session_id_ring
from bff.guests.guest_desk import GuestDesk, SignedInGuest
from bff.guests.guest_history import GuestHistory
from bff.guests.guest_house import GuestHouse, SocketRules
from bff.guests.guest_limits import GuestLimits, LimitPolicy
from bff.guests.held_tokens import HeldTokens
from bff.guests.live_guests import LiveGuests
from bff.guests.platform_client import PlatformClient
from bff.guests.provisioning import GuestProvisioning, HttpProvisioning, LocalProvisioning
from bff.guests.relay_plan import RelayPlan
from bff.guests.shared_secret import SharedSecret, checked_shared_secret
from bff.ports import Clock, Entropy, Foundation, Store
from bff.settings import Settings
from bff.signin.records import BrowserSession, SessionKey, SessionToken
from bff.signin.session_book import SessionBook

APPLICATION: Final = "messenger-bff"


@dataclass(frozen=True, slots=True)
class BookOfSignIns:
    """Keeps `guest_desk.SignIns`: the sessions of the book, as far as a guest needs them."""

    book: SessionBook

    def behind(self, session_token: str | None) -> SignedInGuest | None:
        """Return the sign-in behind a cookie, or None."""
        token = None if session_token is None else SessionToken(session_token)
        return _as_guest(self.book.find(token))

    def of(self, session_key: str) -> SignedInGuest | None:
        """Return the sign-in of that session, or None if it has ended."""
        return _as_guest(self.book.look_up(SessionKey(session_key)))


@dataclass(frozen=True, slots=True)
class NoSignIns:
    """Keeps `guest_desk.SignIns` in passthrough, where Genesys does not take codes of ours.

    Whoever has signed in chats in the Messenger; in the chat of our own everybody is a visitor.
    """

    def behind(self, session_token: str | None) -> None:
        """Return nobody."""

    def of(self, session_key: str) -> None:
        """Return nobody."""


def held_tokens(settings: Settings, foundation: Foundation, broker: Broker) -> HeldTokens | None:
    """Return what keeps the Genesys tokens of signed-in guests, if there are guest sessions."""
    doors = _doors(settings, foundation)
    return None if doors is None else HeldTokens(foundation, codes=broker, doors=doors)


def session_ids(settings: Settings, foundation: Foundation) -> KeyRing | None:
    """Return the ring that seals the ids of guest sessions, if there are any."""
    if settings.genesys_deployment_id is None:
        return None
    return id_ring(settings, foundation.store, clock=foundation.clock, entropy=foundation.entropy)


def id_ring(settings: Settings, store: Store, *, clock: Clock, entropy: Entropy) -> KeyRing:
    """Return that ring, whether guest sessions are switched on or not."""
    return session_id_ring(
        store,
        master_keys=settings.master_keys,
        clock=clock,
        entropy=entropy,
        rotate_after=settings.session_id_key_lifecycle,
        lifetime=settings.guest_lifetime,
    )


def guest_house(
    settings: Settings,
    foundation: Foundation,
    *,
    book: SessionBook,
    tokens: HeldTokens | None,
    ring: KeyRing | None,
    archive: GuestArchive | None = None,
) -> GuestHouse | None:
    """Return what the shells of the guest socket need, or None if it is not switched on."""
    doors = _doors(settings, foundation)
    if settings.genesys_deployment_id is None or doors is None or tokens is None or ring is None:
        return None
    desk = GuestDesk(
        bindings=GuestBindings(foundation, session_ids=ring, lifetime=settings.guest_lifetime),
        provisioning=provisioning(settings, foundation),
        limits=GuestLimits(
            foundation.store,
            clock=foundation.clock,
            policy=LimitPolicy(sessions=f"{settings.guest_sessions_per_minute}/minute"),
        ),
        sign_ins=NoSignIns() if settings.passthrough else BookOfSignIns(book),
        tokens=tokens,
        history=GuestHistory(doors),
        live=LiveGuests(foundation),
        clock=foundation.clock,
        archive=archive or NoArchive(),
    )
    plan = RelayPlan(
        clock=foundation.clock,
        entropy=foundation.entropy,
        scheme=_scheme(settings, foundation.entropy),
        deployment_id=settings.genesys_deployment_id,
        application=APPLICATION,
    )
    return GuestHouse(
        desk=desk,
        plan=plan,
        messaging_url=settings.genesys_hosts.messaging_url,
        rules=SocketRules(connections=settings.guest_connections),
    )


def provisioning(settings: Settings, foundation: Foundation) -> GuestProvisioning:
    """Return how guests come into being."""
    if settings.guest_provisioning == "local":
        return LocalProvisioning(foundation.entropy)
    client = platform_client(settings, foundation)
    return HttpProvisioning(client, path=settings.guest_provisioning_path)


def platform_client(settings: Settings, foundation: Foundation) -> PlatformClient:
    """Return the client of the platform API. Raises SettingsError if there is none."""
    return PlatformClient(foundation, platform=genesys_cloud(settings, foundation.clock))


def genesys_cloud(settings: Settings, clock: Clock) -> GenesysCloud:
    """Return the platform API itself. Raises SettingsError if we are not registered there."""
    if settings.platform_client_id is None or settings.platform_client_secret is None:
        raise SettingsError("BFF_PLATFORM_CLIENT_ID and BFF_PLATFORM_CLIENT_SECRET are missing")
    registration = PlatformRegistration(
        hosts=settings.genesys_hosts,
        client_id=settings.platform_client_id,
        client_secret=settings.platform_client_secret.get_secret_value(),
        auth=settings.platform_auth,
        scope=settings.platform_scope,
    )
    return GenesysCloud(registration, clock=clock)


def _doors(settings: Settings, foundation: Foundation) -> GenesysTokens | None:
    if settings.genesys_deployment_id is None:
        return None
    return GenesysTokens(
        hosts=settings.genesys_hosts,
        deployment_id=settings.genesys_deployment_id,
        origin=settings.allowed_origins[0],
        clock=foundation.clock,
    )


def _scheme(settings: Settings, entropy: Entropy) -> Scheme:
    pages = PageKeys(entropy)
    if settings.hmac_secret is None:
        return pages
    secret = checked_shared_secret(settings.hmac_secret.get_secret_value())
    return EitherScheme(pages=pages, servers=SharedSecret(secret, entropy))


def _as_guest(session: BrowserSession | None) -> SignedInGuest | None:
    if session is None:
        return None
    claims = {"email": session.person.claims.get("email"), "name": session.person.name}
    return SignedInGuest(
        session_key=session.key,
        person=session.person.pairwise,
        until=session.ends_at,
        profile={name: value for name, value in claims.items() if value},
    )

"""What the doors need, gathered once at the start and found by every request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast

from flask import current_app, has_request_context, request

from bff.background.runner import BackgroundRunner
from bff.broker.provider import Broker
from bff.broker.signing_keys import SigningKeys
from bff.crypto.keyring import KeyRing
from bff.guests.guest_house import GuestHouse
from bff.inspector.inspector_house import InspectorHouse
from bff.ports import Clock, Entropy, IdentityProvider, Store
from bff.records.record_house import Records
from bff.signin.fingerprints import PairwiseSubjects
from bff.signin.passthrough import Passthrough
from bff.signin.session_book import SessionBook
from bff.signin.session_news import NewsDesk
from bff.signin.session_rounds import SessionRounds
from bff.signin.sign_in import SignIn
from bff.signin.sign_out import SignOut
from bff.signin.token_vault import TokenVault
from bff.signin.transactions import Transactions
from bff.store_probe import StoreProbe

EXTENSION: Final = "messenger-bff"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRules:
    """Who may ask, from where, and how cookies are set."""

    public_url: str
    allowed_origins: tuple[str, ...]
    cross_site: bool
    sign_ins_per_minute: int
    trusted_proxies: int = 0
    metrics_token: str | None = field(default=None, repr=False)
    heartbeat: timedelta = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every service that a door may call."""

    site: SiteRules
    store: Store
    store_probe: StoreProbe
    clock: Clock
    entropy: Entropy
    sign_in: SignIn
    sign_out: SignOut
    transactions: Transactions
    book: SessionBook
    vault: TokenVault
    session_rounds: SessionRounds
    news: NewsDesk
    subjects: PairwiseSubjects
    broker: Broker
    key_ring: KeyRing
    rings: Mapping[str, KeyRing] = field(default_factory=dict)
    rekeyed: tuple[str, ...] = ()
    signing_keys: SigningKeys
    providers: Mapping[str, IdentityProvider]
    passthrough: Passthrough | None = None
    guests: GuestHouse | None = None
    session_ids: KeyRing | None = None
    records: Records | None = None
    inspector: InspectorHouse | None = None
    background: BackgroundRunner = field(default_factory=BackgroundRunner)
    unreadable: Mapping[str, int] = field(default_factory=dict)
    close: Callable[[], None]


def services() -> Services:
    """Return the services of the running application."""
    return cast("Services", current_app.extensions[EXTENSION])


def asking_address() -> str | None:
    """Return from where the request at hand comes; None outside of any."""
    return request.remote_addr if has_request_context() else None

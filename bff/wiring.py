"""The only room that knows every adapter: settings in, services out."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from bff.adapters.file_rights import may_be_changed, open_to_others
from bff.adapters.openid_client import OpenIdClient, ProviderRegistration
from bff.adapters.operator_name import operator_name
from bff.adapters.redis_store import RedisStore
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemClock, SystemEntropy
from bff.background.runner import BackgroundRunner
from bff.broker.provider import Broker, BrokerClient, Principal
from bff.broker.signing_keys import SigningKeys
from bff.crypto.keyring import KeyRing
from bff.errors import BrokenSealError, SettingsError, SignInRequiredError, StoreDownError
from bff.flow_ports import NO_WATCH, FlowWatch
from bff.guest_record_wiring import guest_key_ring, guest_keys_file
from bff.guest_wiring import guest_house, held_tokens, id_ring, session_ids
from bff.guests.guest_archive import GuestArchive, NoArchive
from bff.guests.held_tokens import HeldTokens
from bff.identity_settings import ProviderSettings
from bff.inspector.flow_recorder import FlowLedger
from bff.inspector_wiring import build_inspector
from bff.passthrough_wiring import build_passthrough
from bff.ports import NO_LEDGER, Clock, Demands, Entropy, Foundation, SignInLedger, Store
from bff.record_wiring import build_records, records_url
from bff.records.archive import Archive
from bff.records.key_watch import KeyWatch
from bff.records.outbox import KEEP as LETTERS_KEPT
from bff.records.record_house import Records
from bff.records.sign_in_ledger import TrailLedger
from bff.setting_checks import decoded_key
from bff.settings import Settings
from bff.signin.fingerprints import PairwiseSubjects
from bff.signin.records import SessionKey
from bff.signin.session_book import SessionBook, SessionLimits
from bff.signin.session_end import SessionEnder
from bff.signin.session_expiry import AFTERLIFE
from bff.signin.session_news import NewsDesk
from bff.signin.session_rounds import SessionRounds
from bff.signin.sign_in import ProviderDesk, SignIn
from bff.signin.sign_out import REVOCATION_LIFE, SignOut
from bff.signin.token_vault import TokenVault, VaultPolicy
from bff.signin.transactions import Transactions
from bff.store_probe import StoreProbe
from bff.web.doorway import Services, SiteRules, asking_address

log = logging.getLogger(__name__)

AT_REST: Final = "at-rest"


@dataclass(frozen=True, slots=True)
class Witness:
    """Vouches to the broker for a session: it lives, and its provider still knows the person."""

    book: SessionBook
    vault: TokenVault

    def vouch(self, session_key: str) -> Principal:
        """Return who this is. Does not extend the session.

        Raises SignInRequiredError if the session is over, IdentityProviderDownError if the
        provider has been silent for longer than the outage grace.
        """
        session = self.book.look_up(SessionKey(session_key))
        if session is None:
            raise SignInRequiredError("the session behind this grant has ended")
        self.vault.confirm(session)
        return Principal(
            subject=session.person.pairwise,
            claims=session.person.claims,
            auth_time=session.auth_time,
            acr=session.acr,
        )


@dataclass(frozen=True, slots=True)
class TokensOfPeople:
    """Forgets the Genesys tokens of an erased guest's person, whose sign-in goes on.

    No session ends, so this is nothing for `SessionEnder`. What Genesys cannot be told now stays in
    the same line as that of an ended session.
    """

    book: SessionBook
    held: HeldTokens
    records: Records

    def __call__(self, prints: frozenset[str]) -> None:
        """Forget those of every session of the persons with these fingerprints."""
        if not prints:
            return
        print_of, tenant = self.records.keys.fingerprint, self.records.guests.tenant
        for session in self.book.everyone():
            if print_of("person", tenant, session.person.pairwise) in prints:
                self.held.forget(session.key)


def open_store(settings: Settings, *, clock: Clock, entropy: Entropy) -> Store:
    """Open the store that the settings name."""
    if settings.embedded:
        # Thorough: letters of the outbox and sessions name people, and go with an erasure.
        return SqliteStore(settings.store_path, clock=clock, entropy=entropy, thorough=True)
    return RedisStore(settings.store_url, places=settings.store_places, entropy=entropy)


def open_ring(settings: Settings, store: Store, *, clock: Clock, entropy: Entropy) -> KeyRing:
    """Open the ring that seals what is stored.

    Its keys stay openable longer than anything they sealed can live: the longest session, with the
    time that it is kept past its end, a revocation that waits for its provider, or a letter that
    waits for the database.
    """
    return KeyRing(
        store,
        purpose=AT_REST,
        master_keys=settings.master_keys,
        clock=clock,
        entropy=entropy,
        rotate_after=settings.key_lifecycle,
        search_pause=timedelta(0),
        keep_for=max(settings.session_absolute + AFTERLIFE, REVOCATION_LIFE, LETTERS_KEPT)
        + timedelta(hours=1),
    )


def open_files(settings: Settings) -> list[tuple[Path, str]]:
    """Return each file of secrets that others may read or change, and in words what they may.

    SQLite keeps what it has just written in files beside its own.
    """
    files = []
    if (source := settings.source) is not None and (source.secret or may_be_changed(source.path)):
        # Whoever changes it, changes where people sign in; it need hold no secret for that.
        files = [source.path]
    places = []
    if settings.embedded:
        places = [settings.store_path, *filter(None, [guest_keys_file(settings)])]
    records = records_url(settings) or ""
    if records.startswith("sqlite:"):
        places.append(Path(records.removeprefix("sqlite:///")))
    files += [
        place.with_name(place.name + end) for place in places for end in ("", "-wal", "-journal")
    ]
    found = [(path, open_to_others(path)) for path in files]
    return [(path, words) for path, words in found if words is not None]


def build(
    settings: Settings, *, clock: Clock | None = None, entropy: Entropy | None = None
) -> Services:
    """Build every service. Opens the store; asks no provider yet.

    Raises SettingsError if the store was sealed under another master key: its sessions would
    look as if they had ended. A store that is away is no reason not to start.
    """
    for path, words in open_files(settings):
        log.warning("%s %s: chmod 600 %s", path, words, path)
    clock = clock or SystemClock()
    entropy = entropy or SystemEntropy()
    store = open_store(settings, clock=clock, entropy=entropy)
    ring = open_ring(settings, store, clock=clock, entropy=entropy)
    foundation = Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)
    desks = {
        name: _desk(name, provider, clock=clock, entropy=entropy)
        for name, provider in settings.providers.items()
    }
    providers = {name: desk.provider for name, desk in desks.items()}
    subjects = PairwiseSubjects(decoded_key(settings.pairwise_salt))
    background = BackgroundRunner(clock=clock)
    records = build_records(settings, foundation, background)
    ledger = _ledger(records, foundation)
    watch: FlowWatch = NO_WATCH
    inspector = build_inspector(settings, foundation)
    if inspector is not None:
        watch = inspector.recorder
        ledger = FlowLedger(behind=ledger, recorder=inspector.recorder, tag=subjects.page_tag)
    book = SessionBook(
        foundation,
        limits=SessionLimits(idle=settings.session_idle, absolute=settings.session_absolute),
        ledger=ledger,
    )
    ends = SessionEnder(foundation, book=book, providers=providers)
    vault = TokenVault(
        foundation,
        book=book,
        providers=providers,
        policy=VaultPolicy(lead=settings.renewal_lead, outage_grace=settings.outage_grace),
        watch=watch,
        ends=ends,
    )
    transactions = Transactions(foundation)
    news = NewsDesk(store, clock=clock, runner=background)
    signing_keys = SigningKeys(foundation, rotate_after=settings.signing_key_lifecycle)
    broker = _broker(settings, foundation, Witness(book, vault), signing_keys, watch)
    held = held_tokens(settings, foundation, broker)
    guest_ring = session_ids(settings, foundation)
    rings = open_rings(
        settings, store, records.guests.ring if records else None, clock=clock, entropy=entropy
    )
    rekeyed = _under_master_key(rings)
    if records is not None and held is not None:
        records.guests.erasure.also_tell(TokensOfPeople(book, held, records))
    if records is not None:
        records.rounds.also(_key_watch(records, foundation, ring, signing_keys, guest_ring).once)
        records.rounds.also(records.signer.introduce_in_turn)

    passthrough = build_passthrough(
        settings, foundation, book=book, vault=vault, transactions=transactions, watch=watch
    )
    if passthrough is not None:
        ends.also_release(passthrough.forget)

    def close() -> None:
        news.close()
        if records is not None:
            records.close()
        background.stop(limit=timedelta(seconds=1))
        store.close()

    return Services(
        site=_site(settings),
        store=store,
        store_probe=StoreProbe(store, clock=clock),
        clock=clock,
        entropy=entropy,
        sign_in=SignIn(
            foundation,
            desks=desks,
            book=book,
            vault=vault,
            transactions=transactions,
            subjects=subjects,
            redirect_uri=settings.redirect_uri,
            ledger=ledger,
            watch=watch,
        ),
        sign_out=SignOut(
            foundation,
            book=book,
            vault=vault,
            providers=providers,
            logged_out_url=settings.public_url + "/auth/logged-out",
            held=held,
        ),
        transactions=transactions,
        passthrough=passthrough,
        book=book,
        vault=vault,
        session_rounds=SessionRounds(ends, runner=background),
        news=news,
        subjects=subjects,
        broker=broker,
        key_ring=ring,
        rings=rings,
        rekeyed=rekeyed,
        signing_keys=signing_keys,
        providers=providers,
        guests=guest_house(
            settings,
            foundation,
            book=book,
            tokens=held,
            ring=guest_ring,
            archive=_archive(records, foundation),
        ),
        session_ids=guest_ring,
        records=records,
        inspector=inspector,
        background=background,
        unreadable=foundation.unreadable,
        close=close,
    )


def _archive(records: Records | None, foundation: Foundation) -> GuestArchive:
    if records is None:
        return NoArchive()
    return Archive(
        memory=records.guests.memory,
        trail=records.refusals,
        clock=foundation.clock,
        entropy=foundation.entropy,
    )


def open_rings(
    settings: Settings,
    store: Store,
    of_guests: KeyRing | None,
    *,
    clock: Clock,
    entropy: Entropy,
) -> dict[str, KeyRing]:
    """Return every ring that there can be, by what its keys are for.

    Also those of parts that are switched off now: what they hold must outlive a change of the
    master key.
    """
    return {
        "seal": open_ring(settings, store, clock=clock, entropy=entropy),
        "chat": id_ring(settings, store, clock=clock, entropy=entropy),
        "guest": of_guests or guest_key_ring(settings, store, clock=clock, entropy=entropy),
    }


def _under_master_key(rings: Mapping[str, KeyRing]) -> tuple[str, ...]:
    """Seal every ring under the current master key; return which were sealed anew.

    Raises SettingsError for one that no configured key opens.
    """
    done = []
    for use, ring in rings.items():
        try:
            if ring.rekey():
                log.info("the %s keys are now encrypted under BFF_MASTER_KEY", use)
                done.append(use)
        except BrokenSealError as error:
            raise SettingsError(
                f"BFF_MASTER_KEY does not open this store: {error.detail}"
            ) from error
        except StoreDownError:
            log.warning("the store does not answer; starting all the same")
            break
    return tuple(done)


def _key_watch(
    records: Records,
    foundation: Foundation,
    ring: KeyRing,
    signing_keys: SigningKeys,
    session_ids: KeyRing | None,
) -> KeyWatch:
    rings = {"seal": ring, "guest": records.guests.ring, "chat": session_ids}

    def ids(of: KeyRing) -> Callable[[], list[str]]:
        return lambda: [key.id for key in of.keys()]  # noqa: SIM118 - no dictionary

    watched: dict[str, Callable[[], list[str]]] = {
        use: ids(one) for use, one in rings.items() if one is not None
    }
    watched["sign"] = lambda: [key.id for key in signing_keys.keys()]  # noqa: SIM118 - no dictionary
    watched["head"] = lambda: [key.public for key in records.head_keys.known()]
    return KeyWatch(foundation, records.trail, watched)


def _ledger(records: Records | None, foundation: Foundation) -> SignInLedger:
    if records is None:
        return NO_LEDGER
    return TrailLedger(
        trail=records.refusals,
        clock=foundation.clock,
        entropy=foundation.entropy,
        source=asking_address,
        operator=operator_name(),
    )


def _broker(
    settings: Settings,
    foundation: Foundation,
    witness: Witness,
    signing_keys: SigningKeys,
    watch: FlowWatch,
) -> Broker:
    client = BrokerClient(
        client_id=settings.genesys_client_id,
        # In passthrough we are nobody's provider: a secret that nobody knows.
        client_secret=settings.genesys_client_secret.get_secret_value()
        or foundation.entropy.token(),
        redirect_uri=settings.broker_redirect_uri,
        post_logout_redirect_uris=tuple(f"{origin}/" for origin in settings.allowed_origins),
    )
    return Broker(
        foundation,
        issuer=settings.broker_issuer,
        client=client,
        witness=witness,
        signing_keys=signing_keys,
        access_token_life=settings.access_token_life,
        watch=watch,
    )


def _site(settings: Settings) -> SiteRules:
    return SiteRules(
        public_url=settings.public_url,
        allowed_origins=settings.allowed_origins,
        cross_site=settings.cross_site,
        sign_ins_per_minute=settings.sign_ins_per_minute,
        trusted_proxies=settings.trusted_proxies,
        metrics_token=(
            settings.metrics_token.get_secret_value() if settings.metrics_token else None
        ),
    )


def _desk(name: str, provider: ProviderSettings, *, clock: Clock, entropy: Entropy) -> ProviderDesk:
    registration = ProviderRegistration(
        name=name,
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=provider.client_secret.get_secret_value(),
        scopes=provider.scopes,
        extra_parameters=tuple(provider.extra_parameters.items()),
        token_auth=provider.token_auth,
        userinfo=provider.userinfo,
        logout_types=provider.logout_types,
    )
    return ProviderDesk(
        provider=OpenIdClient(registration, clock=clock, entropy=entropy),
        issuer=provider.issuer,
        demands=Demands(
            prompt=provider.prompt, max_age=provider.max_age, acr_values=provider.acr_values
        ),
        claim_names=provider.claims,
        assume_email_verified=provider.assume_email_verified,
    )

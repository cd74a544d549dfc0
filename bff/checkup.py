"""`messenger-bff check`: everything that can be known before the first customer comes."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from bff.adapters.file_rights import may_be_changed, open_to_others
from bff.adapters.http_client import http_session
from bff.adapters.openid_client import OpenIdClient, ProviderRegistration
from bff.adapters.provider_metadata import WELL_KNOWN, ProviderMetadata
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.address_checkup import examine_address
from bff.errors import BffError, StoreDownError
from bff.findings import Finding, Verdict, fine, note, tried, warning
from bff.guest_checkup import examine_guests
from bff.guest_record_wiring import guest_key_ring, guest_keys_file
from bff.identity_settings import ProviderSettings
from bff.passthrough_checkup import examine_passthrough
from bff.ports import Clock, Demands, Entropy, Store
from bff.record_checkup import examine_records
from bff.setting_sources import PREFIX, without_passwords
from bff.settings import Settings
from bff.wiring import open_files, open_ring, open_rings, open_store

SKEW_WARNING: Final = timedelta(seconds=5)
SKEW_FAULT: Final = timedelta(seconds=30)
_SAYS_ISSUER: Final = "authorization_response_iss_parameter_supported"


def examine(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield a finding for all that is set, and for whatever it leads to."""
    yield from _settings(settings)
    yield from _files(settings)
    yield from _origins(settings)
    yield from examine_address(settings.public_url)
    yield from _store(settings, clock)
    yield from examine_records(settings)
    for name, provider in settings.providers.items():
        yield from _provider(name, provider, clock)
    yield from _redirect_uris(settings, clock)
    yield from examine_passthrough(settings, clock, SystemEntropy())
    yield from examine_guests(settings, clock)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return the last line: how much of what, and what that means."""
    faults, warnings = (verdicts.count(what) for what in (Verdict.FAULT, Verdict.WARNING))
    counts = f"{verdicts.count(Verdict.OK)} ok, {warnings} to consider, {faults} to mend"
    if faults:
        return f"\n{counts}. Not ready: follow each → under `fault`."
    return f"\n{counts}. Ready: `messenger-bff serve`."


def _settings(settings: Settings) -> Iterator[Finding]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name != "providers":
            yield fine(f"{PREFIX}{name.upper()} = {_shown(value)}")
    yield fine("keys: 32 bytes each, random enough, one purpose each")
    if settings.inspector == "everybody" and urlsplit(settings.public_url).scheme == "https":
        yield Finding(
            verdict=Verdict.WARNING,
            what="BFF_INSPECTOR is everybody: each browser may record itself",
            fix="meant for demo and QA; in production use operators (docs/inspector.md)",
        )


def _files(settings: Settings) -> Iterator[Finding]:
    """Look who else may read what holds secrets: settings, store, records, keys."""
    for path, words in open_files(settings):
        yield warning(f"{path} {words}", f"chmod 600 {path}: it is for this service alone")
    source = settings.source
    if source is None or source.secret or may_be_changed(source.path):
        return
    allowed = open_to_others(source.path)
    if allowed is not None:
        yield note(
            f"{source.path} {allowed}",
            f"it holds no secret yet; before it does: chmod 600 {source.path}",
        )


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else "(not set)"
    if isinstance(value, str):
        # A store URL may carry a password.
        return without_passwords(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "(not set)" if value in (None, "") else str(value)


def _origins(settings: Settings) -> Iterator[Finding]:
    ours = _site(settings.public_url)
    for origin in settings.allowed_origins:
        if _site(origin) == ours or settings.cross_site:
            yield fine(f"origin {origin}")
        else:
            yield Finding(
                verdict=Verdict.FAULT,
                what=f"origin {origin} is on another site than {settings.public_url}",
                fix="its pages will not send our SameSite=Strict cookie: serve this service from "
                "a subdomain of that site, or set BFF_CROSS_SITE=true and accept what browsers "
                "do to third-party cookies",
            )


def _site(origin: str) -> tuple[str, str]:
    """Return scheme and the last two labels: right for most sites, a hint for the others."""
    parts = urlsplit(origin)
    return parts.scheme, ".".join((parts.hostname or "").split(".")[-2:])


def _store(settings: Settings, clock: Clock) -> Iterator[Finding]:
    entropy = SystemEntropy()
    opened: list[Store] = []

    def answers() -> None:
        opened.append(open_store(settings, clock=clock, entropy=entropy))
        opened[0].ping()

    def opens() -> None:
        ring = open_ring(settings, opened[0], clock=clock, entropy=entropy)
        ring.open(ring.seal(b"check", context="check"), context="check")

    kind = "the SQLite file" if settings.embedded else "Redis"
    there = tried(
        f"store: {kind} answers",
        answers,
        "look at BFF_STORE_URL, and whether that place can be reached and written to from here",
    )
    yield there
    if there.verdict is Verdict.OK:
        ring = tried(
            "store: the key ring opens and seals",
            opens,
            "set BFF_MASTER_KEY to the key that sealed this store, or BFF_MASTER_KEY_PREVIOUS "
            "while you change it (docs/keys.md)",
        )
        yield ring
        # One cause, one finding: a ring that nothing opens has been told of.
        told = "seal" if ring.verdict is not Verdict.OK else None
        yield from _rings(settings, opened[0], clock, entropy, told=told)
    for store in opened:
        store.close()


def _rings(
    settings: Settings, store: Store, clock: Clock, entropy: Entropy, *, told: str | None
) -> Iterator[Finding]:
    """Say under which master key each keyring lies, and whether the previous one is needed."""
    file = guest_keys_file(settings)
    own = None
    if file is not None and file.exists():
        own = SqliteStore(file, clock, entropy, thorough=True)
    of_guests = guest_key_ring(settings, own or store, clock=clock, entropy=entropy)
    waiting = []
    for use, ring in open_rings(settings, store, of_guests, clock=clock, entropy=entropy).items():
        try:
            under = ring.master_key()
        except StoreDownError:
            continue
        if under is None:
            continue
        if under.current:
            yield fine(f"keyring {use}: encrypted under master key {under.name}")
            continue
        waiting.append(use)
        known = "not configured" not in under.name
        if use == told and not known:
            continue
        yield Finding(
            verdict=Verdict.WARNING if known else Verdict.FAULT,
            what=f"keyring {use}: encrypted under master key {under.name}",
            fix="run `messenger-bff keys rekey`; until then that key must stay"
            if known
            else "set that key as BFF_MASTER_KEY_PREVIOUS, then run `messenger-bff keys rekey`: "
            "without it nothing opens that this ring has encrypted",
        )
    if own is not None:
        own.close()
    if settings.master_key_previous is not None:
        yield _previous(waiting)


def _previous(waiting: Sequence[str]) -> Finding:
    if waiting:
        return Finding(
            verdict=Verdict.FAULT,
            what=f"BFF_MASTER_KEY_PREVIOUS is needed by: {', '.join(waiting)}",
            fix="do not remove it: run `messenger-bff keys rekey` first (docs/keys.md)",
        )
    return Finding(
        verdict=Verdict.WARNING,
        what="BFF_MASTER_KEY_PREVIOUS is set, and no keyring needs it",
        fix="remove it once every process has started with the new key (docs/keys.md)",
    )


def _provider(name: str, provider: ProviderSettings, clock: Clock) -> Iterator[Finding]:
    http = http_session()
    metadata = ProviderMetadata(provider.issuer, http=http, clock=clock)
    where = f"provider {name}"
    fix = (
        f"{PREFIX}PROVIDERS__{name.upper()}__ISSUER must equal `issuer` in the document at "
        f"{provider.issuer.rstrip('/')}{WELL_KNOWN}, to the letter, and be reachable from here"
    )
    discovery = tried(
        f"{where}: discovery document names {provider.issuer}", metadata.document, fix
    )
    yield discovery
    if discovery.verdict is not Verdict.OK:
        return
    yield tried(f"{where}: signing keys are readable", metadata.keys, "ask its operator")
    yield from _abilities(where, metadata, provider)
    yield _skew(where, provider, http, clock)


def _abilities(
    where: str, metadata: ProviderMetadata, provider: ProviderSettings
) -> Iterator[Finding]:
    document = metadata.document()
    methods = document.get("code_challenge_methods_supported", ["S256"])
    scopes = document.get("scopes_supported")
    if "S256" not in methods:
        yield Finding(
            verdict=Verdict.FAULT,
            what=f"{where}: PKCE S256 is not offered",
            fix="switch it on there; sign-in without it is not supported",
        )
    if isinstance(scopes, list) and not set(provider.scopes) <= set(scopes):
        missing = " ".join(sorted(set(provider.scopes) - set(scopes)))
        yield Finding(
            verdict=Verdict.WARNING,
            what=f"{where}: scope {missing} is not offered",
            fix="without a refresh token a logout there reaches us by back channel only",
        )
    if not document.get("backchannel_logout_supported"):
        yield Finding(
            verdict=Verdict.WARNING,
            what=f"{where}: no back-channel logout",
            fix="a sign-out there is noticed at the next renewal only",
        )
    for endpoint in ("revocation_endpoint", "end_session_endpoint"):
        if metadata.endpoint(endpoint) is None:
            yield Finding(
                verdict=Verdict.WARNING,
                what=f"{where}: no {endpoint}",
                fix="signing out ends our session, but not everything there",
            )


def _redirect_uris(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Say what to register where, and where another provider could get codes (RFC 9700 4.4)."""
    for name, provider in settings.providers.items():
        own = settings.redirect_uri_of(name)
        yield fine(f"provider {name}: its redirect URI is {own}")
        if len(settings.providers) == 1:
            return
        metadata = ProviderMetadata(provider.issuer, http=http_session(), clock=clock)
        try:
            announced = metadata.document().get(_SAYS_ISSUER) is True
            if not announced:
                yield warning(
                    f"provider {name}: does not say who answers (`iss`, RFC 9207), and is not the "
                    "only one",
                    f"register {own} there and no other address of this service; the address "
                    "tells its answers from another provider's",
                )
                yield from _taken_for_another(name, settings, clock)
        except BffError:
            # Its own findings have said so.
            continue


def _taken_for_another(name: str, settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Ask a provider, as a browser would, to send an answer to another one's redirect URI."""
    for other in settings.providers:
        uri = settings.redirect_uri_of(other)
        if other != name and _sends_to(uri, name, settings.providers[name], clock):
            yield Finding(
                verdict=Verdict.FAULT,
                what=f"provider {name}: sends browsers to {uri}, which is for provider {other}",
                fix="take that address out of its registration (no patterns, no beginnings): else "
                f"{other} can have the codes of {name}",
            )


def _sends_to(uri: str, name: str, provider: ProviderSettings, clock: Clock) -> bool:
    registration = ProviderRegistration(
        name=name, issuer=provider.issuer, client_id=provider.client_id, client_secret=""
    )
    client = OpenIdClient(registration, clock=clock, entropy=SystemEntropy())
    asked = client.authorization_request(redirect_uri=uri, demands=Demands(prompt="none"))
    http = http_session()
    # To look at one; none is followed.
    http.max_redirects = 1
    try:
        answer = http.get(asked.url, allow_redirects=False)
    except requests.RequestException:
        return False
    return answer.headers.get("Location", "").startswith((f"{uri}?", f"{uri}#"))


def _skew(where: str, provider: ProviderSettings, http: requests.Session, clock: Clock) -> Finding:
    """Compare our clock with the `Date` of an answer; half the round trip is forgiven."""
    before = clock.now()
    try:
        answer = http.get(provider.issuer.rstrip("/") + WELL_KNOWN, allow_redirects=False)
        theirs = _moment(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError):
        return Finding(
            verdict=Verdict.WARNING, what=f"{where}: its clock is not told", fix="nothing to do"
        )
    after = clock.now()
    # `Date` has whole seconds.
    skew = max(before - theirs - timedelta(seconds=1), theirs - after, timedelta(0))
    said = f"{where}: clocks differ by {skew.total_seconds():.0f} s"
    if skew < SKEW_WARNING:
        return fine(said)
    verdict = Verdict.FAULT if skew >= SKEW_FAULT else Verdict.WARNING
    return Finding(verdict=verdict, what=said, fix="synchronise this machine's clock (NTP)")


def _moment(date: str) -> datetime:
    """Raises ValueError unless the zone is known: `-0000` says that it is not (RFC 5322, 3.3)."""
    parsed = parsedate_to_datetime(date)
    if parsed.tzinfo is None:
        raise ValueError("no zone")
    return parsed

"""A broker on a store in memory, with a witness that says what a test tells it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, Final

from hand_clock import START, HandClock
from joserfc import jwt
from joserfc.jwk import KeySet
from memory_store import MemoryStore

from bff.adapters.system import SystemEntropy
from bff.broker.exchanges import BrokerClient, Issued, Minted
from bff.broker.provider import Broker
from bff.broker.session_witness import Principal
from bff.broker.signing_keys import RING, SigningKey, SigningKeys, SigningRing, generate
from bff.crypto.keyring import KeyRing
from bff.crypto.sealed_drawer import Drawer
from bff.errors import IdentityProviderDownError, SignInRequiredError
from bff.ports import Foundation, Store

ISSUER: Final = "https://auth.brand.example/op"
CLIENT: Final = BrokerClient(
    client_id="genesys",
    client_secret="secret-of-genesys-0123456789",
    redirect_uri="https://auth.brand.example/op/landing",
)
SESSION: Final = "session-key-of-amira"
AMIRA: Final = Principal(
    subject="pairwise-of-amira",
    claims={
        "email": "amira@example.com",
        "given_name": "Amira",
        "family_name": "Haddad",
        "name": "Amira Haddad",
    },
    auth_time=START - timedelta(minutes=3),
    acr="silver",
)
ACCESS_LIFE: Final = timedelta(minutes=15)
KEY_AGE: Final = timedelta(days=30)


class ScriptedWitness:
    """Keeps `SessionWitness`: sessions end, the provider goes away, when a test says so."""

    def __init__(self) -> None:
        self.sessions: dict[str, Principal] = {SESSION: AMIRA}
        self.away = False
        self.asked = 0
        self.meanwhile: Callable[[], None] | None = None

    def vouch(self, session_key: str) -> Principal:
        self.asked += 1
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if self.away:
            raise IdentityProviderDownError("told so", retry_after=timedelta(seconds=7))
        if session_key not in self.sessions:
            raise SignInRequiredError("told so")
        return self.sessions[session_key]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRig:
    """The parts, for a test to turn."""

    broker: Broker
    witness: ScriptedWitness
    keys: SigningKeys
    clock: HandClock
    store: MemoryStore = field(repr=False)
    foundation: Foundation = field(repr=False)

    def redeem(self, minted: Minted, **changes: Any) -> Issued:
        """Redeem as the client would, but for `changes`."""
        asked = {
            "client_id": CLIENT.client_id,
            "redirect_uri": minted.redirect_uri,
            "code_verifier": minted.code_verifier,
            **changes,
        }
        return self.broker.redeem(changes.pop("code", minted.code), **without(asked, "code"))

    def refresh(self, token: str | None, scope: str | None = None) -> Issued:
        assert token is not None
        return self.broker.refresh(token, client_id=CLIENT.client_id, scope=scope)

    def signed_in(self) -> Issued:
        """Return the tokens of a fresh code."""
        return self.redeem(self.broker.mint(SESSION))

    def claims(self, id_token: str) -> dict[str, Any]:
        """Return the claims, verified as any relying party would."""
        published = KeySet.import_key_set(self.keys.published())  # type: ignore[arg-type]  # a JWKS
        return dict(jwt.decode(id_token, published, algorithms=["RS256"]).claims)


def foundation_on(store: Store, clock: HandClock) -> Foundation:
    """Return what services stand on, with a real key ring."""
    entropy = SystemEntropy()
    ring = KeyRing(
        store,
        purpose="at-rest",
        master_keys=(bytes(range(32)),),
        clock=clock,
        entropy=entropy,
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=8),
    )
    return Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)


@cache
def ready_keys() -> tuple[SigningKey, SigningKey]:
    """Two keys for all tests of a process: making one takes a tenth of a second."""
    return generate(SystemEntropy(), now=START), generate(SystemEntropy(), now=START)


def with_ready_keys(foundation: Foundation) -> None:
    """Write a first ring without making keys."""
    first, following = ready_keys()
    signing = SigningKey(
        kid=first.kid, jwk=first.jwk, created_at=START, signs_from=foundation.clock.now()
    )
    ring = SigningRing(keys=(signing, following), sealed_at=foundation.clock.now())
    Drawer("signing-keys", SigningRing, foundation).put(RING, ring, ttl=timedelta(days=400))


def broker_rig(*, access_life: timedelta = ACCESS_LIFE) -> BrokerRig:
    clock = HandClock()
    store = MemoryStore(clock)
    foundation = foundation_on(store, clock)
    with_ready_keys(foundation)
    keys = SigningKeys(foundation, rotate_after=KEY_AGE)
    witness = ScriptedWitness()
    broker = Broker(
        foundation,
        issuer=ISSUER,
        client=CLIENT,
        witness=witness,
        signing_keys=keys,
        access_token_life=access_life,
    )
    return BrokerRig(
        broker=broker,
        witness=witness,
        keys=keys,
        clock=clock,
        store=store,
        foundation=foundation,
    )


def without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}

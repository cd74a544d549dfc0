"""Discovery and keys: a good document stays good, an odd key spoils no other."""

import base64
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from authlib.oidc.core.util import create_half_hash
from hand_clock import HandClock
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from scripted_server import Scripted, ScriptedServer, scripted_server

from bff.adapters.http_client import http_session
from bff.adapters.kept_document import LIFE, RETRY_PAUSE, STALE_LIMIT, KeptDocument
from bff.adapters.provider_metadata import WELL_KNOWN, ProviderMetadata
from bff.adapters.verified_tokens import ALGORITHMS, LOGOUT_EVENT, TokenVerifier
from bff.errors import IdentityProviderDownError, LogoutTokenError, ProviderAnswerError
from bff.ports import Demands

GOOD = RSAKey.generate_key(2048, parameters={"kid": "good"})
ODD: list[Any] = [
    {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "odd"},
    {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA", "kid": "odd"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "odd"},
    {"kty": "OKP", "crv": "X448", "x": "AA"},
    {"kty": "OKP", "crv": "Ed25519", "x": "!"},
    {"kty": "RSA", "kid": "odd"},
    {"kty": "RSA", "n": 5, "e": "AQAB"},
    {"kty": "RSA", "n": "!!" * 300, "e": "AQAB"},
    {"kty": "RSA", "n": "A" * 100, "e": "AQAB", "kid": "short"},
    {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
    {"kty": "oct", "k": "AAAA"},
    {"kty": [], "kid": "odd"},
    {"kid": "no kind"},
    {**GOOD.as_dict(private=False), "kid": "for-encryption", "use": "enc"},
    {**GOOD.as_dict(private=False), "kid": "odd", "use": 5},
    {**GOOD.as_dict(private=False), "kid": "odd", "use": "tls"},
    {**GOOD.as_dict(private=False), "kid": 7},
    {**GOOD.as_dict(private=False), "kid": "odd", "x5c": 5},
    {**GOOD.as_dict(private=False), "kid": "odd", "key_ops": ["encrypt"]},
    {**GOOD.as_dict(private=False), "kid": "odd", "key_ops": "verify"},
    None,
    "key",
    [],
    7,
]


class Provider:
    """What one issuer publishes, for a test to change."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.clock = HandClock()
        self.publish([GOOD.as_dict(private=False)])
        self.metadata = ProviderMetadata(server.url, http=http_session(), clock=self.clock)
        self.tokens = TokenVerifier(self.metadata, client_id="us", clock=self.clock)

    def publish(self, keys: list[Any]) -> None:
        url = self.server.url
        document = {
            "issuer": url,
            "jwks_uri": f"{url}/keys",
            **{name: f"{url}/{name}" for name in ("authorization_endpoint", "token_endpoint")},
        }
        self.server.always(WELL_KNOWN, Scripted.json(document))
        self.server.always("/keys", Scripted.json({"keys": keys}))

    def signed(self, key: Key, alg: str, claims: dict[str, Any], **header: Any) -> str:
        now = int(self.clock.now().timestamp())
        whole = {"iss": self.server.url, "aud": "us", "iat": now, "exp": now + 300, **claims}
        named = {"alg": alg, **({"kid": key.kid} if key.kid else {}), **header}
        return jws.serialize_compact(
            named, _json(whole), key, algorithms=[*ALGORITHMS, "ES256K", "Ed448"]
        )

    def logout_token(self, key: Key, jti: str = "1", **more: Any) -> str:
        claims = {"sub": "amira", "jti": jti, "events": {LOGOUT_EVENT: {}}, **more}
        return self.signed(key, "RS256", claims, typ="logout+jwt")


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def provider(server: ScriptedServer) -> Provider:
    return Provider(server)


@pytest.mark.parametrize("odd", ODD, ids=[str(number) for number in range(len(ODD))])
def test_a_key_that_we_cannot_use_spoils_no_other(provider: Provider, odd: Any) -> None:
    provider.publish([odd, GOOD.as_dict(private=False), odd])

    assert [key.kid for key in provider.metadata.keys().keys] == ["good"]
    assert provider.tokens.signed(provider.signed(GOOD, "RS256", {})).claims["aud"] == "us"


@given(st.lists(st.sampled_from(range(len(ODD))), max_size=8), st.integers(0, 8))
def test_whatever_stands_around_it_the_good_key_is_found(odd: list[int], place: int) -> None:
    listed = [ODD[number] for number in odd]
    listed.insert(place, GOOD.as_dict(private=False))
    with_server(lambda provider: check_only_good(provider, listed))


def check_only_good(provider: Provider, listed: list[Any]) -> None:
    provider.publish(listed)
    assert [key.kid for key in provider.metadata.keys().keys] == ["good"]


def with_server(work: Callable[[Provider], None]) -> None:
    with scripted_server() as server:
        work(Provider(server))


@pytest.mark.parametrize("keys", [[], [ODD[0]], "none", None, {}])
def test_a_set_without_any_good_key_is_no_set(provider: Provider, keys: Any) -> None:
    provider.publish(keys)

    with pytest.raises(ProviderAnswerError):
        provider.metadata.keys()


SIGNERS: list[tuple[str, Key]] = [
    *((alg, GOOD) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    ("ES256", ECKey.generate_key("P-256", parameters={"kid": "p256"})),
    ("ES384", ECKey.generate_key("P-384", parameters={"kid": "p384"})),
    ("ES512", ECKey.generate_key("P-521", parameters={"kid": "p521"})),
    ("EdDSA", OKPKey.generate_key("Ed25519", parameters={"kid": "ed"})),
    ("Ed25519", OKPKey.generate_key("Ed25519", parameters={"kid": "ed2"})),
]


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # providers go on to use its name
@pytest.mark.parametrize(("alg", "key"), SIGNERS, ids=[alg for alg, _ in SIGNERS])
def test_every_asymmetric_algorithm_of_the_field_is_understood(
    provider: Provider, alg: str, key: Key
) -> None:
    keys = {key.kid: key.as_dict(private=False) for _, key in SIGNERS}
    provider.publish(list(keys.values()))
    hashed = create_half_hash("at", "EdDSA" if alg == "Ed25519" else alg)
    raw = provider.signed(key, alg, {"sub": "amira", "nonce": "n", "at_hash": hashed.decode()})

    claims = provider.tokens.id_token(raw, access_token="at", nonce="n", demands=Demands())

    assert claims["sub"] == "amira"
    with pytest.raises(ProviderAnswerError):
        provider.tokens.id_token(raw, access_token="other", nonce="n", demands=Demands())


def test_algorithms_that_anybody_could_sign_with_are_refused(provider: Provider) -> None:
    for alg in ("HS256", "none", "ES256K", "Ed448", "RS1", ""):
        header = jws.serialize_compact(
            {"alg": "RS256", "kid": "good"}, b"{}", GOOD, algorithms=["RS256"]
        ).split(".")[1:]
        forged = _encoded({"alg": alg, "kid": "good"}) + "." + ".".join(header)
        with pytest.raises(ProviderAnswerError):
            provider.tokens.signed(forged)


def _encoded(header: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(_json(header)).rstrip(b"=").decode()


TROUBLE = {
    "404": Scripted(status=404),
    "403": Scripted(status=403, body=b"<html>blocked</html>"),
    "410": Scripted(status=410),
    "redirect": Scripted(status=302, headers={"Location": "https://elsewhere.example/"}),
    "page": Scripted(body=b"<html>maintenance</html>"),
    "empty": Scripted(body=b""),
    "list": Scripted.json([]),
    "another": Scripted.json({"issuer": "https://another.example"}),
    "no keys": Scripted.json({"keys": []}),
    "500": Scripted(status=500),
    "429": Scripted(status=429),
    "long": Scripted(body=b" " * 2_000_000),
}


@pytest.mark.parametrize("path", [WELL_KNOWN, "/keys"])
@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE.keys())
def test_what_was_good_stays_good_and_is_asked_for_once_a_minute(
    provider: Provider, path: str, trouble: Scripted
) -> None:
    provider.metadata.keys()
    provider.server.always(path, trouble)
    provider.clock.advance(LIFE + timedelta(seconds=1))
    before = provider.server.count(path)

    for _ in range(20):
        assert provider.metadata.endpoint("token_endpoint")
        assert provider.metadata.keys().keys[0].kid == "good"

    assert provider.server.count(path) - before == 1
    provider.clock.advance(RETRY_PAUSE)
    provider.metadata.document()
    provider.metadata.keys()
    assert provider.server.count(path) - before == 2


def test_a_document_that_cannot_be_read_for_a_week_is_believed_no_more(provider: Provider) -> None:
    provider.metadata.keys()
    provider.server.always("/keys", Scripted(status=404))
    provider.clock.advance(STALE_LIMIT - timedelta(minutes=1))
    assert provider.metadata.keys()
    provider.clock.advance(timedelta(minutes=2))

    with pytest.raises(ProviderAnswerError):
        provider.metadata.keys()


def test_a_better_one_takes_its_place(provider: Provider) -> None:
    provider.metadata.keys()
    provider.server.always("/keys", Scripted(status=404))
    provider.clock.advance(LIFE + timedelta(seconds=1))
    provider.metadata.keys()
    other = RSAKey.generate_key(2048, parameters={"kid": "new"})
    provider.publish([other.as_dict(private=False)])
    provider.clock.advance(RETRY_PAUSE)

    assert [key.kid for key in provider.metadata.keys().keys] == ["new"]


def test_while_one_thread_waits_for_a_slow_server_the_others_go_on() -> None:
    clock = HandClock()
    answers, entered, released = iter(["old", "new"]), threading.Event(), threading.Event()
    fetches = []

    def fetch() -> str:
        fetches.append(1)
        if len(fetches) > 1:
            entered.set()
            assert released.wait(10)
        return next(answers)

    kept = KeptDocument(fetch, what="a document", clock=clock)
    assert kept.get() == "old"
    clock.advance(LIFE + timedelta(seconds=1))
    got: list[str] = []
    slow = threading.Thread(target=lambda: got.append(kept.get()))
    slow.start()
    assert entered.wait(10)

    assert [kept.get() for _ in range(50)] == ["old"] * 50
    released.set()
    slow.join()

    assert (got, kept.get(), len(fetches)) == (["new"], "new", 2)


def test_the_first_one_is_fetched_once_however_many_wait_for_it() -> None:
    released, fetches = threading.Event(), []

    def fetch() -> str:
        fetches.append(1)
        assert released.wait(10)
        return "first"

    kept = KeptDocument(fetch, what="a document", clock=HandClock())
    got: list[str] = []
    crowd = [threading.Thread(target=lambda: got.append(kept.get())) for _ in range(8)]
    for thread in crowd:
        thread.start()
    released.set()
    for thread in crowd:
        thread.join()

    assert (got, len(fetches)) == (["first"] * 8, 1)


def test_a_server_that_is_down_from_the_start_is_not_asked_by_everybody(
    provider: Provider,
) -> None:
    provider.server.always(WELL_KNOWN, Scripted(status=503))

    for _ in range(20):
        with pytest.raises(IdentityProviderDownError):
            provider.metadata.document()

    assert provider.server.count(WELL_KNOWN) == 1


def test_a_forged_logout_token_does_not_delay_a_real_rotation(provider: Provider) -> None:
    provider.metadata.keys()
    mallory = RSAKey.generate_key(2048, parameters={"kid": "invented"})
    for number in range(20):
        with pytest.raises((LogoutTokenError, IdentityProviderDownError)):
            provider.tokens.logout_token(provider.logout_token(mallory, jti=str(number)))
    fresh = RSAKey.generate_key(2048, parameters={"kid": "fresh"})
    provider.publish([fresh.as_dict(private=False)])

    raw = provider.signed(fresh, "RS256", {"sub": "amira", "nonce": "n"})
    claims = provider.tokens.id_token(raw, access_token="at", nonce="n", demands=Demands())

    assert claims["sub"] == "amira", "what the provider itself has given is looked up at once"


def test_a_logout_token_that_cannot_be_judged_now_is_asked_for_again(provider: Provider) -> None:
    provider.metadata.keys()
    mallory = RSAKey.generate_key(2048, parameters={"kid": "invented"})
    with pytest.raises(LogoutTokenError):
        provider.tokens.logout_token(provider.logout_token(mallory, jti="0"))
    fresh = RSAKey.generate_key(2048, parameters={"kid": "fresh"})
    provider.publish([fresh.as_dict(private=False)])
    real = provider.logout_token(fresh)

    with pytest.raises(IdentityProviderDownError) as later:
        provider.tokens.logout_token(real)

    assert later.value.retry_after == timedelta(minutes=1)
    provider.clock.advance(timedelta(minutes=1))
    assert provider.tokens.logout_token(real).subject == "amira"


@pytest.mark.parametrize("broken", [{"aud": "others"}, {"nonce": "n"}, {"jti": ""}, {"iat": 1}])
def test_one_that_would_be_refused_anyway_is_refused_now(
    provider: Provider, broken: dict[str, Any]
) -> None:
    provider.metadata.keys()
    mallory = RSAKey.generate_key(2048, parameters={"kid": "invented"})
    with pytest.raises(LogoutTokenError):
        provider.tokens.logout_token(provider.logout_token(mallory))

    with pytest.raises(LogoutTokenError):
        provider.tokens.logout_token(provider.logout_token(mallory, **broken))


def test_another_signature_under_a_known_name_is_a_forgery(provider: Provider) -> None:
    provider.metadata.keys()
    mallory = RSAKey.generate_key(2048, parameters={"kid": "good"})

    for number in range(3):
        with pytest.raises(LogoutTokenError):
            provider.tokens.logout_token(provider.logout_token(mallory, jti=str(number)))

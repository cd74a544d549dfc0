"""Authlib's client, as strict as it can be made, is content with us in every step."""

from collections.abc import Iterator

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import get_well_known_url as oauth_well_known
from authlib.oauth2.rfc9207 import AuthorizationServerMetadata as IssuerMetadata
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from authlib.oidc.rpinitiated import OpenIDProviderMetadata as LogoutMetadata
from bff_rig import query_of
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from served_bff import ServedBff, served_bff

SECRET = "secret-of-genesys-0123456789"
SCOPE = "openid profile email offline_access"


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBff]:
    with served_bff(tmp_path_factory.mktemp("bff")) as served:
        yield served


class StrictClient:
    """A relying party that verifies everything that the specifications let it verify."""

    def __init__(self, bff: ServedBff, auth_method: str) -> None:
        self.bff = bff
        self.issuer = f"{bff.url}/op"
        where = get_well_known_url(self.issuer, external=True)
        self.metadata = OpenIDProviderMetadata(requests.get(where, timeout=5).json())
        self.session = OAuth2Session(
            "genesys",
            SECRET,
            scope=SCOPE,
            redirect_uri=f"{self.issuer}/landing",
            token_endpoint_auth_method=auth_method,
            revocation_endpoint_auth_method=auth_method,
            code_challenge_method="S256",
            default_timeout=5,
        )
        self.verifier = generate_token(64)
        self.nonce = generate_token(32)

    def authorized(self, **extra: str) -> str:
        """Walk to the authorization endpoint with a signed-in browser; return the way back."""
        url, state = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"],
            code_verifier=self.verifier,
            nonce=self.nonce,
            **extra,
        )
        response = requests.get(
            url, headers={"Cookie": self.bff.cookie}, allow_redirects=False, timeout=5
        )
        back = response.headers["Location"]
        assert back.startswith(f"{self.issuer}/landing?")
        answer = query_of(back)
        assert answer["state"] == state
        assert answer["iss"] == self.issuer
        return back

    def fetch(self, back: str) -> dict[str, str]:
        token: dict[str, str] = self.session.fetch_token(
            self.metadata["token_endpoint"],
            authorization_response=back,
            code_verifier=self.verifier,
        )
        return token

    def verified(self, token: dict[str, str], *, nonce: str | None) -> CodeIDToken:
        """Verify signature, header and every claim, with no leeway at all."""
        published = requests.get(self.metadata["jwks_uri"], timeout=5).json()
        keys = KeySet.import_key_set(published)
        kid = jws.extract_compact(token["id_token"].encode()).headers()["kid"]
        assert kid in {key.kid for key in keys.keys}
        decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
        options: dict[str, dict[str, object]] = {
            name: {"essential": True} for name in ("sub", "exp", "iat", "auth_time", "sid")
        }
        options["iss"] = {"essential": True, "value": self.issuer}
        options["aud"] = {"essential": True, "value": "genesys"}
        params = {"client_id": "genesys", "access_token": token["access_token"], "max_age": 600}
        if nonce is not None:
            options["nonce"] = {"essential": True, "value": nonce}
            params["nonce"] = nonce
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(self.bff.rig.clock.now().timestamp()), leeway=0)
        assert claims["at_hash"]
        return claims


def test_the_discovery_document_is_valid_and_says_who_it_is(bff: ServedBff) -> None:
    document = requests.get(f"{bff.url}/op/.well-known/openid-configuration", timeout=5).json()

    # Endpoints have to be https for Authlib; ours are on loopback here.
    https = {
        name: value.replace("http://", "https://") if isinstance(value, str) else value
        for name, value in document.items()
    }
    OpenIDProviderMetadata(https).validate(metadata_classes=[LogoutMetadata, IssuerMetadata])

    assert document["issuer"] == f"{bff.url}/op"
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["subject_types_supported"] == ["pairwise"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]


def test_both_well_known_places_say_the_same(bff: ServedBff) -> None:
    oidc = requests.get(get_well_known_url(f"{bff.url}/op", external=True), timeout=5)
    oauth = requests.get(oauth_well_known(f"{bff.url}/op", external=True), timeout=5)

    assert oauth.status_code == 200
    assert oauth.json() == oidc.json()


@pytest.mark.parametrize("auth_method", ["client_secret_basic", "client_secret_post"])
def test_the_whole_code_flow(bff: ServedBff, auth_method: str) -> None:
    client = StrictClient(bff, auth_method)
    token = client.fetch(client.authorized(max_age="600"))
    claims = client.verified(token, nonce=client.nonce)

    userinfo = client.session.get(client.metadata["userinfo_endpoint"]).json()
    assert userinfo["sub"] == claims["sub"] == "pairwise-of-amira"
    assert userinfo["email"] == claims["email"] == "amira@example.com"

    renewed = client.session.refresh_token(
        client.metadata["token_endpoint"], refresh_token=token["refresh_token"]
    )
    assert renewed["access_token"] != token["access_token"]
    again = client.verified(renewed, nonce=None)
    assert [again[name] for name in ("sub", "sid", "auth_time")] == [
        claims[name] for name in ("sub", "sid", "auth_time")
    ]

    revoked = client.session.revoke_token(
        client.metadata["revocation_endpoint"],
        token=renewed["refresh_token"],
        token_type_hint="refresh_token",
    )
    assert revoked.status_code == 200
    gone = requests.get(
        client.metadata["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {renewed['access_token']}"},
        timeout=5,
    )
    assert gone.status_code == 401


@pytest.mark.parametrize("auth_method", ["client_secret_basic", "client_secret_post"])
def test_a_minted_code_is_as_good_as_one_from_a_redirect(bff: ServedBff, auth_method: str) -> None:
    client = StrictClient(bff, auth_method)
    key = bff.rig.services.book.everyone()[0].key
    minted = bff.rig.services.broker.mint(key)

    token = client.session.fetch_token(
        client.metadata["token_endpoint"], code=minted.code, code_verifier=minted.code_verifier
    )

    assert minted.redirect_uri == client.session.redirect_uri
    assert minted.issuer == client.issuer
    claims = client.verified(token, nonce=minted.nonce)
    assert claims["acr"] == "silver"


def test_keys_rotate_under_a_running_client(bff: ServedBff) -> None:
    client = StrictClient(bff, "client_secret_basic")
    before = client.fetch(client.authorized())
    known = KeySet.import_key_set(requests.get(client.metadata["jwks_uri"], timeout=5).json())

    bff.rig.services.signing_keys.rotate()

    after = client.fetch(client.authorized())
    # The key that signs now was published before it signed: a cached document still verifies.
    jwt.decode(after["id_token"], known, algorithms=["RS256"])
    client.verified(after, nonce=client.nonce)
    client.verified(before, nonce=client.nonce)

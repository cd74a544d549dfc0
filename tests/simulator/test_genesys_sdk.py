"""The vendor's own Python SDK drives the REST half."""

import base64
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from genesys_rig import MINUTES_16, PLATFORM, GenesysRig, running_genesys

from bff.simulator.genesys_settings import DEMO_DEPLOYMENT


@pytest.fixture(scope="module")
def sdk() -> ModuleType:
    with warnings.catch_warnings():
        # The SDK's sources hold escapes that newer Pythons warn about when they compile them.
        warnings.filterwarnings("ignore", category=SyntaxWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        import PureCloudPlatformClientV2  # noqa: PLC0415 - takes three seconds and warns

    module: ModuleType = PureCloudPlatformClientV2
    return module


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        yield running


@pytest.fixture
def client(sdk: ModuleType, rig: GenesysRig) -> Any:
    made = sdk.api_client.ApiClient()
    made.set_gateway("127.0.0.1", "http", rig.served.port, "", "")
    return made


def exchange_body(sdk: ModuleType, oauth: dict[str, Any]) -> Any:
    request = sdk.WebDeploymentsOAuthExchangeRequest()
    request.deployment_id = DEMO_DEPLOYMENT
    request.oauth = sdk.WebDeploymentsOAuthRequestParameters()
    for name, value in oauth.items():
        spelled = {"redirectUri": "redirect_uri", "codeVerifier": "code_verifier"}.get(name, name)
        setattr(request.oauth, spelled, value)
    return request


def test_the_sdk_gets_a_platform_token(client: Any) -> None:
    client.get_client_credentials_token(PLATFORM.client_id, PLATFORM.client_secret)

    assert client.access_token


def test_the_sdk_is_refused_with_a_wrong_secret(sdk: ModuleType, client: Any) -> None:
    with pytest.raises(sdk.rest.ApiException) as refused:
        client.get_client_credentials_token(PLATFORM.client_id, "wrong")

    assert refused.value.status == 401


def test_the_sdk_comes_back_after_a_429(client: Any, rig: GenesysRig) -> None:
    rig.control("faults", door="token", status=429, retry_after_s=1)
    client.get_client_credentials_token(PLATFORM.client_id, PLATFORM.client_secret)

    assert client.access_token
    assert rig.report()["faults"] == {}


def test_the_sdk_exchanges_refreshes_and_revokes(
    sdk: ModuleType, client: Any, rig: GenesysRig
) -> None:
    deployments = sdk.WebDeploymentsApi(client)

    pair = deployments.post_webdeployments_token_oauthcodegrantjwtexchange(
        exchange_body(sdk, rig.auth_data())
    )
    refreshing = sdk.WebDeploymentsRefreshJWTRequest()
    refreshing.refresh_token = pair.refresh_token
    refreshing.deployment_id = DEMO_DEPLOYMENT
    rig.clock.advance(MINUTES_16)
    renewed = deployments.post_webdeployments_token_refresh(body=refreshing)
    client.set_default_header("Authorization", f"bearer {renewed.jwt}")
    deployments.delete_webdeployments_token_revoke()

    assert renewed.jwt != pair.jwt
    assert rig.report()["counters"]["revocations"] == 1


def test_the_sdk_reads_the_history(sdk: ModuleType, client: Any, rig: GenesysRig) -> None:
    guest = rig.guest()
    guest.configure(rig.tokens()["jwt"])
    guest.answer_to(guest.say("hello"))
    jwt = guest.answer_to(guest.send("getJwt"))["body"]["jwt"]
    client.set_default_header("Authorization", f"bearer {jwt}")

    page = sdk.WebMessagingApi(client).get_webmessaging_messages(page_size=2, page_number=2)

    assert (page.total, page.page_count) == (3, 2)
    assert [entity.text for entity in page.entities] == ["hello"]


def test_a_token_needs_the_right_grant_and_the_basic_scheme(rig: GenesysRig) -> None:
    secret = f"{PLATFORM.client_id}:{PLATFORM.client_secret}".encode()
    basic = {"Authorization": "Basic " + base64.b64encode(secret).decode()}
    form = {"grant_type": "client_credentials"}

    good = rig.call("POST", "/oauth/token", data=form, headers=basic)
    wrong_grant = rig.call("POST", "/oauth/token", data={"grant_type": "x"}, headers=basic)
    bodies = {**form, "client_id": PLATFORM.client_id, "client_secret": PLATFORM.client_secret}
    in_body = rig.call("POST", "/oauth/token", data=bodies)

    assert set(good.json()) == {"access_token", "token_type", "expires_in"}
    assert (wrong_grant.status_code, wrong_grant.json()["code"]) == (400, "bad.request")
    assert (in_body.status_code, in_body.json()["code"]) == (401, "bad.credentials")


def test_the_history_is_read_ten_times_a_minute(rig: GenesysRig) -> None:
    guest = rig.guest()
    guest.configure()
    jwt = guest.answer_to(guest.send("getJwt"))["body"]["jwt"]

    answers = [
        rig.call("GET", "/api/v2/webmessaging/messages", headers={"Authorization": f"bearer {jwt}"})
        for _ in range(11)
    ]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"

"""The settings of the guest sessions: what they are, what they refuse, all of it at once."""

from datetime import timedelta

import pytest
from bff_rig import environment

from bff.errors import SettingsError
from bff.settings import Settings

ISSUER = "https://idp.example"
DEPLOYMENT = "7c4e1f0a-52d8-4d53-9a57-0d3f6f1b2c88"
CLIENT = {
    "BFF_PLATFORM_CLIENT_ID": "platform",
    "BFF_PLATFORM_CLIENT_SECRET": "canary-of-the-platform",
}
SHARED = "Zk3-canary-of-the-shared-secret-9Qx7LmW2"


def settings_with(**changes: str) -> Settings:
    return Settings.read(environment(ISSUER, **changes))


def faults_of(**changes: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        settings_with(**changes)
    return refused.value.detail.splitlines()


def test_guest_sessions_are_off_unless_a_deployment_is_named() -> None:
    assert settings_with().genesys_deployment_id is None
    assert settings_with(BFF_GENESYS_DEPLOYMENT_ID=DEPLOYMENT).genesys_deployment_id == DEPLOYMENT


def test_a_deployment_id_is_one_however_it_is_spelled() -> None:
    spelled = f" {DEPLOYMENT.upper()} "

    assert settings_with(BFF_GENESYS_DEPLOYMENT_ID=spelled).genesys_deployment_id == DEPLOYMENT


def test_what_is_not_set_has_the_default_that_is_documented() -> None:
    settings = settings_with()

    assert settings.guest_lifetime == settings.session_id_key_lifecycle == timedelta(hours=1)
    assert (settings.guest_sessions_per_minute, settings.guest_connections) == (10, 1000)
    assert (settings.guest_provisioning, settings.platform_auth) == ("local", "basic")
    assert settings.guest_provisioning_path == "/api/v2/conversations/guests"
    assert (settings.gateway_host, settings.gateway_port) == ("127.0.0.1", 8081)
    assert (settings.platform_scope, settings.hmac_secret) == ("", None)


@pytest.mark.parametrize("region", ["prod-euw1", "mypurecloud.ie", "PROD-EUW1"])
def test_hosts_follow_from_the_region(region: str) -> None:
    hosts = settings_with(BFF_GENESYS_REGION=region).genesys_hosts

    assert hosts.login_url == "https://login.mypurecloud.ie"
    assert hosts.api_url == "https://api.mypurecloud.ie"
    assert hosts.cdn_url == "https://api-cdn.mypurecloud.ie"
    assert hosts.messaging_url == "wss://webmessaging.mypurecloud.ie"


def test_each_host_may_be_elsewhere_and_the_others_stay() -> None:
    hosts = settings_with(
        BFF_GENESYS_API_URL="https://Gateway.brand.example/",
        BFF_GENESYS_MESSAGING_URL="ws://genesys.localhost:9000",
    ).genesys_hosts

    assert hosts.api_url == "https://gateway.brand.example"
    assert hosts.messaging_url == "ws://genesys.localhost:9000"
    assert hosts.login_url == "https://login.mypurecloud.com"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BFF_GENESYS_DEPLOYMENT_ID", "my-deployment", "is not a UUID"),
        ("BFF_GENESYS_DEPLOYMENT_ID", "{" + DEPLOYMENT + "}", "is not a UUID"),
        ("BFF_GENESYS_DEPLOYMENT_ID", DEPLOYMENT.replace("-", ""), "is not a UUID"),
        ("BFF_GENESYS_REGION", "prod-euw9", "did you mean prod-euw"),
        ("BFF_GENESYS_LOGIN_URL", "http://login.brand.example", "is not https"),
        ("BFF_GENESYS_API_URL", "https://gateway.brand.example/api", "has a path"),
        ("BFF_GENESYS_API_URL", "https://me@gateway.brand.example", "is not an origin"),
        ("BFF_GENESYS_CDN_URL", "http://cdn.brand.example", "is not https"),
        ("BFF_GENESYS_MESSAGING_URL", "https://gateway.brand.example", "is not an origin such as"),
        ("BFF_GENESYS_MESSAGING_URL", "ws://gateway.brand.example", "is not wss"),
        ("BFF_GENESYS_MESSAGING_URL", "ws://localhost.brand.example", "is not wss"),
        ("BFF_PLATFORM_CLIENT_SECRET", "canary", "set both or neither"),
        ("BFF_PLATFORM_AUTH", "digest", "'basic' or 'body'"),
        ("BFF_GUEST_PROVISIONING", "http", "is http: the gateway wants a token"),
        ("BFF_GUEST_PROVISIONING", "remote", "'local' or 'http'"),
        ("BFF_GUEST_PROVISIONING_PATH", "//evil.example/guests", "is not a path"),
        ("BFF_GUEST_PROVISIONING_PATH", "/api/../guests", "is not a path"),
        ("BFF_GUEST_LIFETIME", "59", "greater than or equal to"),
        ("BFF_GUEST_LIFETIME", "259201", "less than or equal to"),
        ("BFF_SESSION_ID_KEY_LIFECYCLE", "1", "greater than or equal to"),
        ("BFF_GUEST_SESSIONS_PER_MINUTE", "0", "greater than or equal to 1"),
        ("BFF_GUEST_CONNECTIONS", "0", "greater than or equal to 1"),
        ("BFF_HMAC_SECRET", "short", "is weak: use at least 32"),
        ("BFF_HMAC_SECRET", "a" * 64, "is weak: use at least 32"),
        ("BFF_GATEWAY_PORT", "65536", "less than or equal to 65535"),
        ("BFF_GENESYS_DEPLOYMENT", DEPLOYMENT, "did you mean BFF_GENESYS_DEPLOYMENT_ID?"),
    ],
)
def test_one_fault_is_one_line_with_its_name_and_what_to_do(
    name: str, value: str, words: str
) -> None:
    (fault,) = faults_of(**{name: value})

    assert fault.startswith(name)
    assert words in fault


def test_a_gateway_that_makes_guests_needs_the_platform_client() -> None:
    assert settings_with(BFF_GUEST_PROVISIONING="http", **CLIENT).guest_provisioning == "http"


def test_a_platform_client_with_half_its_settings_is_one_fault_even_with_a_gateway() -> None:
    (fault,) = faults_of(BFF_GUEST_PROVISIONING="http", BFF_PLATFORM_CLIENT_ID="platform")

    assert fault.startswith("BFF_PLATFORM_CLIENT_SECRET is missing")


def test_faults_of_guests_are_named_with_all_others() -> None:
    faults = faults_of(
        BFF_PORT="eighty",
        BFF_PLATFORM_CLIENT_ID="platform",
        BFF_GENESYS_REGION="nowhere",
        BFF_GENESYS_API_URL="ftp://gateway.brand.example",
        BFF_HMAC_SECRET="weak",
        BFF_GUEST_LIFETIME="P4D",
    )

    assert {fault.split()[0].rstrip(":") for fault in faults} == {
        "BFF_PORT",
        "BFF_PLATFORM_CLIENT_SECRET",
        "BFF_GENESYS_REGION",
        "BFF_GENESYS_API_URL",
        "BFF_HMAC_SECRET",
        "BFF_GUEST_LIFETIME",
    }


def test_a_strong_shared_secret_is_taken() -> None:
    secret = settings_with(BFF_HMAC_SECRET=SHARED).hmac_secret

    assert secret is not None
    assert secret.get_secret_value() == SHARED


def test_neither_a_fault_nor_a_printed_setting_repeats_a_secret() -> None:
    faults = faults_of(BFF_HMAC_SECRET="canary-a", BFF_PLATFORM_CLIENT_SECRET="canary-b")

    assert len(faults) == 2
    assert "canary" not in "\n".join(faults)
    assert "canary" not in repr(settings_with(BFF_HMAC_SECRET=SHARED, **CLIENT))

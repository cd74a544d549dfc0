"""A discovery document cannot send us into the inner network, by address, name or redirect."""

import socket
from pathlib import Path

import pytest
import requests
from bff_rig import BffRig, error_of, running_bff
from security_model import Asset, Attacker, threat

from bff.adapters.http_client import http_session
from bff.adapters.provider_metadata import check_endpoint
from bff.errors import ProviderAnswerError
from bff.simulator.provider_faults import Fault


def test_endpoints_on_the_metadata_service_are_refused(bff: BffRig) -> None:
    bff.provider.provider.faults.plant(Fault.DISCOVERY_INNER_HOSTS)

    response = bff.browser().get("/auth/login")

    assert error_of(response) == "provider_answer_invalid"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/token",
        "http://idp.example/token",
        "https://localhost/token",
        "https://127.0.0.1/token",
        "https://[::1]/token",
        "https://a.localhost/token",
        "https://user@idp.example/token",
        "file:///etc/passwd",
        "https:///token",
        None,
        7,
    ],
)
def test_an_outer_issuer_names_outer_https_endpoints_only(url: object) -> None:
    with pytest.raises(ProviderAnswerError):
        check_endpoint(url, issuer="https://idp.example")


@threat(
    Attacker.PROVIDER,
    Asset.SERVICE,
    can="Name a host in discovery that resolves to an inner address: it is not called",
    noticed="`provider_answer_invalid` or `provider_unavailable`",
)
def test_a_name_that_leads_inside_is_caught_after_resolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        # DNS is the network here: a name of the outside that answers with an inner address.
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: inside)

        with pytest.raises(requests.ConnectionError, match="inner address"):
            http_session().get(f"http://rebound.example:{port}/", timeout=2)


@pytest.mark.parametrize("door", ["discovery", "jwks", "token"])
def test_redirects_are_not_followed(tmp_path: Path, door: str) -> None:
    with running_bff(tmp_path) as bff:
        bff.provider.provider.faults.plant(
            Fault.REDIRECT, value=f"{bff.provider.url}/control/state", endpoint=door
        )
        browser = bff.browser()
        started = browser.get("/auth/login")
        if started.status_code == 303:
            browser.get(browser.at_provider(started.headers["Location"]))

        assert not browser.signed_in

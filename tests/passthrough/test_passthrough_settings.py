"""What contradicts passthrough is refused at the start; `check` finds out the rest."""

from dataclasses import replace
from pathlib import Path

import pytest
from bff_rig import BffRig, environment
from passthrough_rig import CALLBACK, CLIENT_VARIABLE, GENESYS, PASSTHROUGH, running_passthrough

from bff.adapters.system import SystemEntropy
from bff.errors import SettingsError
from bff.findings import Finding, Verdict
from bff.passthrough_checkup import examine_passthrough
from bff.settings import Settings

ISSUER = "https://login.brand.example"


def refusal(**changes: str) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.read(environment(ISSUER, **changes))
    return refused.value.detail


def test_passthrough_needs_no_client_with_us() -> None:
    settings = Settings.read(environment(ISSUER, **PASSTHROUGH))

    assert settings.passthrough
    assert settings.passthrough_redirect_uri == CALLBACK


def test_broker_is_the_default() -> None:
    assert not Settings.read(environment(ISSUER)).passthrough


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({CLIENT_VARIABLE: ""}, f"{CLIENT_VARIABLE} is missing"),
        ({"BFF_GENESYS_CLIENT_ID": "genesys"}, "BFF_GENESYS_CLIENT_ID is for BFF_CODES=broker"),
        (
            {"BFF_GENESYS_CLIENT_SECRET": "secret-of-genesys-0123456789"},
            "BFF_GENESYS_CLIENT_SECRET is for BFF_CODES=broker",
        ),
        (
            {"BFF_GENESYS_REDIRECT_URI": "https://www.brand.example/landing"},
            "BFF_GENESYS_REDIRECT_URI is for BFF_CODES=broker",
        ),
        ({"BFF_PASSTHROUGH_CODE_LIFE": "5"}, "BFF_PASSTHROUGH_CODE_LIFE"),
        ({"BFF_CODES": "both"}, "BFF_CODES"),
    ],
)
def test_a_contradiction_is_refused_with_a_sentence(changes: dict[str, str], sentence: str) -> None:
    assert sentence in refusal(**{**PASSTHROUGH, **changes})


def test_a_client_of_genesys_at_the_provider_is_refused_for_broker() -> None:
    detail = refusal(**{CLIENT_VARIABLE: "genesys-at-provider"})

    assert f"has {CLIENT_VARIABLE}, which only BFF_CODES=passthrough uses" in detail


def test_each_of_several_providers_needs_one() -> None:
    staff = {
        "BFF_PROVIDERS__STAFF__ISSUER": "https://staff.brand.example",
        "BFF_PROVIDERS__STAFF__CLIENT_ID": "brand",
        "BFF_PROVIDERS__STAFF__CLIENT_SECRET": "secret-0123456789-abcdef",
    }

    assert "BFF_PROVIDERS__STAFF__PASSTHROUGH_CLIENT_ID is missing" in refusal(
        **{**PASSTHROUGH, **staff}
    )


def found(bff: BffRig) -> list[Finding]:
    return list(examine_passthrough(bff.settings, bff.clock, SystemEntropy()))


def test_check_asks_the_provider_whether_it_knows_genesys(tmp_path: Path) -> None:
    with running_passthrough(tmp_path) as bff:
        known = found(bff)

    said = {finding.what: finding for finding in known}
    assert any("its redirect URI is registered" in what for what in said)
    assert Verdict.FAULT not in {finding.verdict for finding in known}


def test_check_says_that_frames_do_not_work_with_a_provider_elsewhere(bff: BffRig) -> None:
    (warned,) = [one for one in found(bff) if one.verdict is Verdict.WARNING]

    assert "on another site than http://auth.brand.localhost" in warned.what
    assert "docs/passthrough.md" in warned.fix


@pytest.mark.parametrize("client", [None, replace(GENESYS, redirect_uris=("https://a.example/",))])
def test_check_names_the_redirect_uri_to_register(bff: BffRig, client: object) -> None:
    clients = bff.provider.provider._clients
    del clients[GENESYS.client_id]
    if client is not None:
        clients[GENESYS.client_id] = client  # type: ignore[assignment]  # a client

    (fault,) = [one for one in found(bff) if one.verdict is Verdict.FAULT]

    assert CALLBACK in fault.fix
    assert "does not send browsers back" in fault.what


def test_check_has_nothing_to_say_of_broker() -> None:
    settings = Settings.read(environment(ISSUER))

    assert not list(examine_passthrough(settings, None, SystemEntropy()))  # type: ignore[arg-type]  # not asked

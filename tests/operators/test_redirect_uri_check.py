"""`check` says what to register where, and which provider's codes another one could get."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bff_rig import BFF, CLIENT, environment
from hand_clock import HandClock
from malicious_provider import MaliciousProvider, malicious_provider
from passthrough_rig import GENESYS, PASSTHROUGH
from provider_visitor import ProviderRig, running_provider

from bff.checkup import examine
from bff.findings import Finding, Verdict
from bff.settings import Settings

BARE = f"{BFF}/auth/callback"
STAFF = f"{BFF}/auth/callback/staff"


@pytest.fixture
def quiet() -> Iterator[MaliciousProvider]:
    """A provider that says no `iss`."""
    with malicious_provider(HandClock()) as provider:
        yield provider


@pytest.fixture
def clear() -> Iterator[ProviderRig]:
    """One that does."""
    with running_provider(client=CLIENT) as provider:
        yield provider


def findings(main: str, staff: str | None, **changes: str) -> list[Finding]:
    variables = environment(main, BFF_STORE_URL="sqlite:////nowhere/at/all.sqlite3", **changes)
    if staff is not None:
        named = {"ISSUER": staff, "CLIENT_ID": "brand", "CLIENT_SECRET": CLIENT.client_secret}
        variables |= {f"BFF_PROVIDERS__STAFF__{name}": value for name, value in named.items()}
    settings = Settings.read(variables)
    return [one for one in examine(settings, HandClock()) if "redirect URI" in _words(one)]


def _words(finding: Finding) -> str:
    about = ("redirect URI", "iss", "sends browsers")
    return "redirect URI" if any(word in finding.what for word in about) else ""


def said(found: list[Finding], verdict: Verdict) -> list[str]:
    return [one.what for one in found if one.verdict is verdict and "/auth/" in one.what]


def test_a_single_provider_keeps_its_address(clear: ProviderRig) -> None:
    found = findings(clear.url, None)

    assert said(found, Verdict.OK) == [f"provider main: its redirect URI is {BARE}"]


def test_each_of_several_has_one_of_its_own(clear: ProviderRig) -> None:
    found = findings(clear.url, clear.url)

    assert said(found, Verdict.OK) == [
        f"provider main: its redirect URI is {BARE}",
        f"provider staff: its redirect URI is {STAFF}",
    ]
    assert not [one for one in found if "RFC 9207" in one.what]


def test_who_says_no_iss_beside_another_is_a_warning(
    clear: ProviderRig, quiet: MaliciousProvider
) -> None:
    quiet.refuses = {"brand": "invalid_request"}

    found = [one for one in findings(clear.url, quiet.issuer) if "RFC 9207" in one.what]

    (warning,) = found
    assert warning.verdict is Verdict.WARNING
    assert warning.what.startswith("provider staff: ")
    assert STAFF in warning.fix


def test_who_is_alone_needs_no_iss(quiet: MaliciousProvider) -> None:
    assert [one for one in findings(quiet.issuer, None) if "RFC 9207" in one.what] == []


def test_a_provider_that_answers_to_anothers_address_is_a_fault(
    clear: ProviderRig, quiet: MaliciousProvider
) -> None:
    found = findings(clear.url, quiet.issuer)

    (fault,) = [one for one in found if "sends browsers to" in one.what]
    assert fault.verdict is Verdict.FAULT
    assert fault.what.startswith(f"provider staff: sends browsers to {BARE}")
    assert "take that address out" in fault.fix


def test_passthrough_asks_each_for_its_own(tmp_path: Path) -> None:
    own = f"{BFF}/messenger/callback/staff"
    genesys = replace(GENESYS, redirect_uris=(own,))
    named = {"BFF_PROVIDERS__STAFF__PASSTHROUGH_CLIENT_ID": GENESYS.client_id}
    with running_provider(client=CLIENT) as staff:
        staff.provider._clients[GENESYS.client_id] = genesys
        variables = environment(staff.url, **PASSTHROUGH, **named)
        variables["BFF_STORE_URL"] = f"sqlite:///{tmp_path / 'store.sqlite3'}"
        for name, value in (
            ("ISSUER", staff.url),
            ("CLIENT_ID", "brand"),
            ("CLIENT_SECRET", CLIENT.client_secret),
        ):
            variables[f"BFF_PROVIDERS__STAFF__{name}"] = value
        found = list(examine(Settings.read(variables), HandClock()))

    about = [one for one in found if "Genesys' client" in one.what and "staff" in one.what]
    assert any("its redirect URI is registered" in one.what for one in about)

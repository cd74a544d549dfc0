"""RFC 9207, RFC 9700 4.4: an answer from another issuer is refused before its code is sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from bff_rig import BFF, CLIENT, BffRig, Browser, environment, error_of, query_of
from hand_clock import HandClock
from malicious_provider import Lure, MaliciousProvider, malicious_provider
from passthrough_rig import GENESYS, NAVIGATION, PASSTHROUGH
from provider_visitor import ProviderRig, running_provider
from security_model import Asset, Attacker, threat
from werkzeug.test import TestResponse

from bff.app import create_app
from bff.crypto.sealed_drawer import Drawer
from bff.settings import Settings
from bff.signin.fingerprints import hashed
from bff.signin.records import Attempt
from bff.simulator.provider_faults import Fault
from bff.wiring import build

BARE: Final = f"{BFF}/auth/callback"
OF_ATTACKER: Final = f"{BFF}/auth/callback/lure"


@threat(
    Attacker.PROVIDER,
    Asset.TOKENS,
    can="Answer in the name of another issuer: the code is sent nowhere",
    noticed="`issuer_mismatch`",
)
@pytest.mark.parametrize("fault", [Fault.RESPONSE_ISSUER_WRONG, Fault.RESPONSE_ISSUER_MISSING])
def test_a_wrong_or_missing_issuer_costs_no_code(bff: BffRig, fault: Fault) -> None:
    bff.provider.provider.faults.plant(fault)
    browser = bff.browser()

    response = browser.sign_in()

    assert (response.status_code, error_of(response)) == (400, "issuer_mismatch")
    assert bff.provider.provider.tally["token"] == 0
    assert not browser.signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class MixUp:
    """Two providers, one of them an attacker's; the honest one says no `iss` in its answers."""

    browser: Browser
    honest: ProviderRig
    attacker: MaliciousProvider
    registered: str
    attempts: Drawer[Attempt]

    def lured(self, path: str, *, redirect_there: str | None) -> TestResponse:
        """Begin to sign in at the attacker, be sent on to the honest one, and come back."""
        self.attacker.lure = Lure(
            authorize_url=f"{self.honest.url}/authorize",
            client_id=CLIENT.client_id,
            redirect_uri=redirect_there,
        )
        return self.browser.get(self.way_back(self.browser.start(path)), **NAVIGATION)

    def way_back(self, url: str, person: str = "amira") -> str:
        """Return with what the honest provider answers, wherever it was asked to send it."""
        on = self.browser.visitor.go(url).headers["Location"]
        back = self.browser.at_provider(on, person)
        assert "code=" in back
        assert "iss=" not in back
        return back

    def assert_nothing_reached_the_attacker(self, answer: TestResponse) -> None:
        assert (answer.status_code, error_of(answer)) == (400, "issuer_mismatch")
        assert self.attacker.redeemed == []
        assert self.honest.provider.tally["codes_issued"] == 1
        assert self.honest.provider.tally["token"] == 0
        assert not self.browser.signed_in


@contextmanager
def mix_up(
    folder: Path, more: Mapping[str, str] | None = None, *, attacker_first: bool = False
) -> Iterator[MixUp]:
    clock = HandClock()
    registered = f"{BFF}/auth/callback/honest" if attacker_first else BARE
    client = replace(CLIENT, redirect_uris=(registered,))
    with (
        running_provider(client=client, clock=clock) as honest,
        malicious_provider(clock) as attacker,
    ):
        honest.provider.faults.plant(Fault.RESPONSE_ISSUER_MISSING)
        issuers = {"HONEST": honest.url, "LURE": attacker.issuer}
        order = ("LURE", "HONEST") if attacker_first else ("HONEST", "LURE")
        variables = {
            name: value for name, value in environment(honest.url).items() if "__MAIN__" not in name
        }
        for name in order:
            start = f"BFF_PROVIDERS__{name}__"
            variables |= {
                f"{start}ISSUER": issuers[name],
                # Whoever registers us chooses our client id: the attacker takes the honest one's.
                f"{start}CLIENT_ID": CLIENT.client_id,
                f"{start}CLIENT_SECRET": CLIENT.client_secret,
            }
        variables |= {"BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}", **(more or {})}
        services = build(Settings.read(variables), clock=clock)
        try:
            yield MixUp(
                browser=Browser(create_app(services)),
                honest=honest,
                attacker=attacker,
                registered=registered,
                attempts=services.sign_in._attempts,
            )
        finally:
            services.close()


@threat(
    Attacker.PROVIDER,
    Asset.TOKENS,
    can="have an honest provider without `iss` answer a sign-in that began at the attacker's, but "
    "not get its code: the answer comes to the honest provider's redirect URI",
    noticed="the sign-in ends with `issuer_mismatch`, in the log and in the audit log",
)
@pytest.mark.parametrize("attacker_first", [False, True])
def test_a_code_of_the_honest_provider_never_reaches_the_attacker(
    tmp_path: Path, *, attacker_first: bool
) -> None:
    with mix_up(tmp_path, attacker_first=attacker_first) as here:
        answer = here.lured("/auth/login?provider=lure", redirect_there=here.registered)

        here.assert_nothing_reached_the_attacker(answer)


@pytest.mark.parametrize("surface", ["popup", "modal"])
def test_nor_from_a_window_beside_the_page_which_is_told_why(tmp_path: Path, surface: str) -> None:
    with mix_up(tmp_path) as here:
        asked = {"provider": "lure", "surface": surface}
        opened = here.browser.post("/auth/transactions", asked).get_json()
        path = opened["url"].removeprefix(BFF)

        answer = here.lured(path, redirect_there=BARE)

        state = here.browser.get(f"/auth/transactions/{opened['id']}").get_json()
        assert answer.headers["Location"] == "/auth/failed?code=issuer_mismatch"
        assert state == {"status": "failed", "code": "issuer_mismatch"}
        assert here.attacker.redeemed == []


def test_the_honest_provider_sends_nobody_to_the_attackers_redirect_uri(tmp_path: Path) -> None:
    with mix_up(tmp_path) as here:
        here.attacker.lure = Lure(
            authorize_url=f"{here.honest.url}/authorize", client_id=CLIENT.client_id
        )
        url = here.browser.start("/auth/login?provider=lure")

        there = here.browser.visitor.go(here.browser.visitor.go(url).headers["Location"])

        assert here.attacker.asked[-1]["redirect_uri"] == OF_ATTACKER
        assert not there.is_redirect
        assert there.status_code == 400


def test_nor_if_the_attackers_discovery_names_the_honest_form_as_its_own(tmp_path: Path) -> None:
    with mix_up(tmp_path) as here:
        here.attacker.discovery = {"authorization_endpoint": f"{here.honest.url}/authorize"}
        url = here.browser.start("/auth/login?provider=lure")
        tampered = url.replace("%2Fauth%2Fcallback%2Flure", "%2Fauth%2Fcallback")

        honest_words = here.browser.visitor.go(url)
        answer = here.browser.get(here.browser.at_provider(tampered), **NAVIGATION)

        assert honest_words.status_code == 400
        here.assert_nothing_reached_the_attacker(answer)


@pytest.mark.parametrize("name", ["honest", "nobody", "LURE", "lure%2F", "lure%00"])
def test_an_answer_at_any_other_address_is_refused(tmp_path: Path, name: str) -> None:
    with mix_up(tmp_path) as here:
        state = query_of(here.browser.start("/auth/login?provider=lure"))["state"]

        answer = here.browser.get(f"/auth/callback/{name}?code=stolen&state={state}")

        assert answer.status_code in {400, 404}
        assert here.attacker.redeemed == []


def test_an_error_of_another_provider_is_no_answer_either(tmp_path: Path) -> None:
    with mix_up(tmp_path) as here:
        state = query_of(here.browser.start("/auth/login?provider=lure"))["state"]

        answer = here.browser.get(f"/auth/callback?error=access_denied&state={state}")

        assert error_of(answer) == "issuer_mismatch"


def test_each_provider_signs_people_in_at_its_own_address(tmp_path: Path) -> None:
    with mix_up(tmp_path) as here:
        here.honest.provider.faults.clear()
        first = here.browser.start("/auth/login?provider=honest")
        second = here.browser.start("/auth/login?provider=lure")
        honest = here.browser.get(here.browser.at_provider(first), **NAVIGATION)
        other = here.browser.get(here.browser.at_provider(second), **NAVIGATION)

        assert query_of(first)["redirect_uri"] == BARE
        assert query_of(second)["redirect_uri"] == OF_ATTACKER
        assert (honest.status_code, other.status_code) == (303, 303)
        assert here.attacker.redeemed[0]["redirect_uri"] == OF_ATTACKER
        assert here.browser.signed_in


GENESYS_THERE: Final = {
    "BFF_PROVIDERS__HONEST__PASSTHROUGH_CLIENT_ID": GENESYS.client_id,
    "BFF_PROVIDERS__LURE__PASSTHROUGH_CLIENT_ID": GENESYS.client_id,
}


@threat(
    Attacker.PROVIDER,
    Asset.TOKENS,
    can="send a browser with Genesys' request on to an honest provider, but not have that code "
    "handed to the page, and so to the attacker's own integration",
    noticed="the page is told `issuer_mismatch`, and so is the log",
)
def test_a_code_for_genesys_does_not_change_providers(tmp_path: Path) -> None:
    passthrough = {name: value for name, value in PASSTHROUGH.items() if "__MAIN__" not in name}
    with mix_up(tmp_path, {**passthrough, **GENESYS_THERE}) as here:
        here.honest.provider._clients[GENESYS.client_id] = GENESYS
        out = here.browser.start("/auth/login?provider=lure")
        chained = here.browser.get(here.browser.at_provider(out), **NAVIGATION)
        here.attacker.lure = Lure(
            authorize_url=f"{here.honest.url}/authorize",
            client_id=GENESYS.client_id,
            redirect_uri=f"{BFF}/messenger/callback",
        )
        # There is no form for `prompt=none`: the victim is signed in at the honest one already.
        here.browser.at_provider(here.honest.authorize_url(redirect_uri=BARE))
        on = here.browser.visitor.go(chained.headers["Location"]).headers["Location"]
        back = here.browser.at_provider(on)

        answer = here.browser.get(back, **NAVIGATION)

        asked = query_of(chained.headers["Location"])
        assert asked["redirect_uri"] == f"{BFF}/messenger/callback/lure"
        assert "code=" in back
        assert urlsplit(answer.headers["Location"]).fragment.endswith("=issuer_mismatch")
        assert here.browser.post("/messenger/code", {}).status_code == 202


def test_an_attempt_of_the_version_before_still_comes_back(tmp_path: Path) -> None:
    with mix_up(tmp_path) as here:
        url = here.browser.start("/auth/login?provider=lure")
        attempts, key = here.attempts, hashed(query_of(url)["state"])
        held = attempts.get(key)
        assert held is not None
        # Then there was one redirect URI for all, and nothing was written down about it.
        attempts.put(key, replace(held.record, callback=None), ttl=timedelta(minutes=5))
        back = here.browser.at_provider(url).replace("/auth/callback/lure", "/auth/callback")

        answer = here.browser.get(back, **NAVIGATION)

        assert answer.status_code == 303
        assert here.attacker.redeemed[0]["redirect_uri"] == BARE

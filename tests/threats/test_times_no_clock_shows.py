"""`auth_time`, `iat` and `exp` as no clock shows them: no 500, and never a recent sign-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from bff_rig import BFF, Browser, environment, error_of, fragment_of, query_of
from hand_clock import START, HandClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from malicious_provider import MaliciousProvider, malicious_provider
from security_model import Asset, Attacker, threat
from werkzeug.test import TestResponse

from bff.app import create_app
from bff.errors import SettingsError
from bff.settings import Settings
from bff.web.doorway import Services
from bff.wiring import build

NOW: Final = int(START.timestamp())
FALSE_TIMES: Final[dict[str, Any]] = {
    "milliseconds": NOW * 1000,
    "microseconds": NOW * 1_000_000,
    "true": True,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "negative": -NOW,
    "a hundred years to come": NOW + 100 * 365 * 86400,
    "an hour to come": NOW + 3600,
    "huge": 10**300,
    "huger than any float": 10**400,
}
NO_NUMBERS: Final[dict[str, Any]] = {
    "text": str(NOW),
    "list": [NOW],
    "object": {"seconds": NOW},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseClock:
    """Somebody signs in at a provider whose tokens say false times."""

    provider: MaliciousProvider
    services: Services
    browser: Browser
    clock: HandClock

    def sign_in(self) -> TestResponse:
        return self.browser.get(self.browser.at_provider(self.browser.start()))

    def told_auth_time(self) -> datetime | None:
        return self.services.book.everyone()[0].auth_time


@contextmanager
def false_clock(folder: Path, **changes: str) -> Iterator[FalseClock]:
    clock = HandClock()
    with malicious_provider(clock) as provider:
        store = f"sqlite:///{folder / 'store.sqlite3'}"
        variables = environment(provider.issuer, BFF_STORE_URL=store, **changes)
        services = build(Settings.read(variables), clock=clock)
        try:
            yield FalseClock(
                provider=provider,
                services=services,
                browser=Browser(create_app(services)),
                clock=clock,
            )
        finally:
            services.close()


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="say any `auth_time`, but none that is not a moment of the past in seconds counts: with "
    "`max_age` it is no sign-in, and without it is as if nothing had been said",
    noticed="a line in the log; with `max_age`, `step_up_failed` in the audit log",
)
@pytest.mark.parametrize("said", [*FALSE_TIMES.values()], ids=[*FALSE_TIMES])
def test_a_false_time_never_meets_max_age(tmp_path: Path, said: Any) -> None:
    with false_clock(tmp_path, BFF_PROVIDERS__MAIN__MAX_AGE="300") as here:
        here.provider.claims = {"auth_time": said}

        answer = here.sign_in()

        assert fragment_of(answer) == "messenger-auth-error=step_up_failed"
        assert not here.browser.signed_in


@pytest.mark.parametrize("said", [*FALSE_TIMES.values()], ids=[*FALSE_TIMES])
def test_where_nobody_asked_it_is_as_if_it_had_not_been_said(tmp_path: Path, said: Any) -> None:
    with false_clock(tmp_path) as here:
        here.provider.claims = {"auth_time": said}

        answer = here.sign_in()

        assert answer.status_code == 303
        assert here.browser.signed_in
        assert here.told_auth_time() is None


@pytest.mark.parametrize("said", [*NO_NUMBERS.values()], ids=[*NO_NUMBERS])
@pytest.mark.parametrize("max_age", ["", "300"])
def test_what_is_no_number_at_all_breaks_the_protocol(
    tmp_path: Path, said: Any, max_age: str
) -> None:
    with false_clock(tmp_path, BFF_PROVIDERS__MAIN__MAX_AGE=max_age) as here:
        here.provider.claims = {"auth_time": said}

        answer = here.sign_in()

        assert (answer.status_code, error_of(answer)) == (502, "provider_answer_invalid")


@pytest.mark.parametrize("said", [NOW - 5, NOW - 5.5, NOW + 20, 0])
def test_a_true_time_is_kept_and_never_lies_ahead(tmp_path: Path, said: float) -> None:
    with false_clock(tmp_path) as here:
        here.provider.claims = {"auth_time": said}

        here.sign_in()

        assert here.told_auth_time() == min(START, START.fromtimestamp(said, START.tzinfo))


@pytest.mark.parametrize("claim", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("said", [True, float("nan"), float("inf"), -1, NOW * 1000, 10**400])
def test_the_times_of_the_token_itself_must_be_times(tmp_path: Path, claim: str, said: Any) -> None:
    with false_clock(tmp_path) as here:
        here.provider.claims = {claim: said}

        answer = here.sign_in()

        assert (answer.status_code, error_of(answer)) == (502, "provider_answer_invalid")
        assert not here.browser.signed_in


@pytest.mark.parametrize("claim", ["iat", "exp"])
@pytest.mark.parametrize(
    "said", [True, float("nan"), float("inf"), -1, NOW * 1000, 10**400, str(NOW), [NOW], None]
)
def test_and_those_of_a_logout_token(tmp_path: Path, claim: str, said: Any) -> None:
    with false_clock(tmp_path) as here:
        here.sign_in()
        here.provider.logout_claims = {claim: said}
        body = {"logout_token": here.provider.logout_token()}

        answer = here.browser.client.post("/auth/backchannel-logout", base_url=BFF, data=body)

        assert (answer.status_code, error_of(answer)) == (400, "logout_token_refused")
        assert here.browser.signed_in


@pytest.mark.parametrize("claim", ["sub", "sid"])
@pytest.mark.parametrize("said", [7, True, ["x"], {"x": 1}])
def test_a_logout_token_names_somebody_in_text(tmp_path: Path, claim: str, said: Any) -> None:
    with false_clock(tmp_path) as here:
        here.provider.logout_claims = {claim: said}
        body = {"logout_token": here.provider.logout_token()}

        answer = here.browser.client.post("/auth/backchannel-logout", base_url=BFF, data=body)

        assert (answer.status_code, error_of(answer)) == (400, "logout_token_refused")


@pytest.mark.parametrize(
    "said", [True, float("nan"), float("inf"), -5, 0, "300", 10**300, 10**400, [300], None]
)
def test_the_life_of_an_access_token_is_a_number_of_seconds_or_unknown(
    tmp_path: Path, said: Any
) -> None:
    with false_clock(tmp_path) as here:
        here.provider.token_answer = {"expires_in": said}

        answer = here.sign_in()

        assert answer.status_code == 303
        assert here.browser.signed_in


def test_userinfo_says_nothing_about_the_sign_in(tmp_path: Path) -> None:
    told = {"auth_time": NOW, "acr": "gold", "sid": "of-another", "nickname": "Ami"}
    with false_clock(tmp_path, BFF_PROVIDERS__MAIN__USERINFO="always") as here:
        here.provider.discovery = {"userinfo_endpoint": f"{here.provider.issuer}/userinfo"}
        here.provider.userinfo = told

        here.sign_in()

        session = here.services.book.everyone()[0]
        assert here.browser.signed_in
        assert (session.auth_time, session.acr, session.provider_sid) == (None, None, None)


ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=3,
)
CLAIMS: Final = ("iss", "sub", "aud", "azp", "iat", "exp", "nbf", "auth_time", "acr", "amr")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(claim=st.sampled_from([*CLAIMS, "sid", "at_hash", "email", "name"]), said=ANYTHING)
def test_whatever_a_token_says_nobody_meets_a_fault_of_ours(
    somewhere: FalseClock, claim: str, said: Any
) -> None:
    somewhere.provider.claims = {claim: said}

    answer = somewhere.sign_in()

    assert answer.status_code in {303, 502}


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalseClock]:
    folder = tmp_path_factory.mktemp("false-clock")
    with false_clock(folder, BFF_SIGN_INS_PER_MINUTE="100000") as here:
        yield here


def test_the_broker_calls_no_sign_in_recent_that_is_still_to_come(tmp_path: Path) -> None:
    with false_clock(tmp_path) as here:
        here.provider.claims = {"auth_time": NOW}
        here.sign_in()
        drawer = here.services.book._drawer
        key = here.services.book.everyone()[0].key
        held = drawer.get(key)
        assert held is not None
        # As a version before this one may have stored it.
        later = replace(held.record, auth_time=START + timedelta(days=365))
        drawer.put(key, later, ttl=timedelta(hours=1))
        asked = {
            "client_id": "genesys",
            "redirect_uri": f"{BFF}/op/landing",
            "response_type": "code",
            "scope": "openid",
            "code_challenge": "x" * 43,
            "code_challenge_method": "S256",
            "max_age": "600",
        }

        answer = here.browser.client.get("/op/authorize", base_url=BFF, query_string=asked)

        assert query_of(answer.headers["Location"])["error"] == "login_required"


@pytest.mark.parametrize("max_age", ["-1", "P99999D", "999999999999"])
def test_a_demand_that_nobody_could_meet_is_refused_at_the_start(max_age: str) -> None:
    variables = environment("https://id.example", BFF_PROVIDERS__MAIN__MAX_AGE=max_age)

    with pytest.raises(SettingsError) as refused:
        Settings.read(variables)

    assert "BFF_PROVIDERS__MAIN__MAX_AGE" in refused.value.detail

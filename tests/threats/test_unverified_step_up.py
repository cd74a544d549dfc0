"""`max_age` and `acr_values` are demands: what comes back must meet them."""

from pathlib import Path

import pytest
from bff_rig import fragment_of, query_of, running_bff
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault
from bff.simulator.provider_settings import ACR_STRONG

DEMANDS = {
    "BFF_PROVIDERS__MAIN__MAX_AGE": "300",
    "BFF_PROVIDERS__MAIN__ACR_VALUES": f'["{ACR_STRONG}"]',
}


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="Answer with an older or weaker sign-in than was asked for: no session",
    noticed="`step_up_failed`",
)
@pytest.mark.parametrize(
    "fault",
    [Fault.AUTH_TIME_OLD, Fault.AUTH_TIME_MISSING, Fault.ACR_LOWER, Fault.ACR_MISSING],
)
def test_an_old_or_weak_sign_in_is_no_step_up(tmp_path: Path, fault: Fault) -> None:
    with running_bff(tmp_path, DEMANDS) as bff:
        bff.provider.provider.faults.plant(fault)
        browser = bff.browser()

        response = browser.sign_in()

        assert fragment_of(response) == "messenger-auth-error=step_up_failed"
        assert not browser.signed_in


def test_a_fresh_and_strong_sign_in_meets_the_demands(tmp_path: Path) -> None:
    with running_bff(tmp_path, DEMANDS) as bff:
        browser = bff.browser()
        url = browser.start()

        browser.get(browser.at_provider(url))

        asked = query_of(url)
        assert (asked["max_age"], asked["acr_values"]) == ("300", ACR_STRONG)
        assert browser.signed_in

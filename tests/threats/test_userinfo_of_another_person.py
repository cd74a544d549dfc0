"""OIDC Core 5.3.2: userinfo that names somebody else lends nobody its claims."""

from pathlib import Path

from bff_rig import error_of, running_bff
from security_model import Asset, Attacker, threat

from bff.simulator.provider_faults import Fault


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="Return the claims of another subject from userinfo: no session",
    noticed="`provider_answer_invalid`",
)
def test_claims_of_another_person_sign_nobody_in(tmp_path: Path) -> None:
    with running_bff(tmp_path, provider={"claims_in_id_token": False}) as bff:
        bff.provider.provider.faults.plant(Fault.USERINFO_SUBJECT_OTHER)
        browser = bff.browser()

        response = browser.sign_in()

        assert error_of(response) == "provider_answer_invalid"
        assert not browser.signed_in


def test_claims_that_only_userinfo_has_are_found(tmp_path: Path) -> None:
    with running_bff(tmp_path, provider={"claims_in_id_token": False}) as bff:
        browser = bff.browser()

        browser.sign_in("zoe")

        session = browser.session()
        assert (session["name"], session["email"]) == ("Zoë Łukasik", "zoe@example.org")

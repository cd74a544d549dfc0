"""An outage is no refusal: 503, when to come back, and the very same request works then."""

from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import BffRig, error_of, running_bff
from op_visitor import OpVisitor, error_and_status

from bff.simulator.provider_faults import Fault

BEYOND_THE_GRACE = timedelta(minutes=40)


def test_a_refresh_can_be_repeated_after_an_outage(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    refresh = visitor.tokens()["refresh_token"]
    faults = bff.provider.provider.faults
    faults.plant(Fault.CUT)
    bff.clock.advance(BEYOND_THE_GRACE)

    for _ in range(3):
        away = visitor.refresh(refresh)
        assert error_and_status(away) == (503, "temporarily_unavailable")
        assert int(away.headers["Retry-After"]) >= 1
        assert away.headers["Cache-Control"] == "no-store"

    faults.clear()
    bff.clock.advance(timedelta(seconds=10))
    assert visitor.refresh(refresh).status_code == 200


def test_who_it_is_cannot_be_said_in_an_outage(tmp_path: Path) -> None:
    with running_bff(tmp_path, BFF_OUTAGE_GRACE="60") as bff:
        visitor = OpVisitor(bff)
        bff.clock.advance(timedelta(minutes=5))
        access = visitor.tokens()["access_token"]
        bff.provider.provider.faults.plant(Fault.CUT)
        # The provider's tokens have ended by now, ours have not.
        bff.clock.advance(timedelta(minutes=13))

        away = visitor.userinfo(access)
        assert error_and_status(away) == (503, "temporarily_unavailable")

        bff.provider.provider.faults.clear()
        bff.clock.advance(timedelta(seconds=10))
        assert visitor.userinfo(access).status_code == 200


def test_a_short_outage_is_forgiven(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    refresh = visitor.tokens()["refresh_token"]
    bff.provider.provider.faults.plant(Fault.CUT)
    bff.clock.advance(timedelta(minutes=10))

    assert visitor.refresh(refresh).status_code == 200


@pytest.mark.parametrize("door", ["/op/token", "/op/revoke"])
def test_a_store_that_is_away_is_a_503_too(bff: BffRig, door: str) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form() | {"token": "x" * 65}
    bff.services.store.close()

    away = visitor.token(form, path=door)

    assert error_and_status(away) == (503, "temporarily_unavailable")
    assert int(away.headers["Retry-After"]) >= 1


def test_a_session_that_the_provider_ended_is_a_refusal(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    tokens = visitor.tokens()
    bff.provider.provider.grants.revoke_everything()
    bff.clock.advance(timedelta(minutes=14, seconds=30))

    assert error_and_status(visitor.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert visitor.userinfo(tokens["access_token"]).status_code == 401
    assert not visitor.browser.signed_in


def test_signing_out_reaches_codes_and_tokens_at_once(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    tokens = visitor.tokens()
    form = visitor.code_form()
    visitor.browser.post("/auth/logout")

    assert error_and_status(visitor.token(form)) == (400, "invalid_grant")
    assert error_and_status(visitor.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    refused = visitor.userinfo(tokens["access_token"])
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    minting = visitor.browser.post("/messenger/code")
    assert (minting.status_code, error_of(minting)) == (401, "login_required")

"""No code, token, verifier or secret of the broker's reaches a log, however much is logged."""

import logging
from datetime import timedelta

import pytest
from bff_rig import BffRig
from broker_rig import CLIENT
from op_visitor import OpVisitor

from bff.simulator.provider_faults import Fault


def test_a_whole_life_of_tokens_leaves_no_secret_in_the_log(
    bff: BffRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = OpVisitor(bff)
    form = visitor.code_form()
    first = visitor.token(form).get_json()
    second = visitor.refresh(first["refresh_token"]).get_json()
    visitor.userinfo(second["access_token"])
    visitor.token({"token": second["access_token"]}, path="/op/revoke")
    visitor.token(form, auth=("genesys", "a-canary-of-a-wrong-secret"))
    visitor.get("/op/logout", id_token_hint="a-canary-of-a-hint")
    burnt = visitor.code_form(code_verifier="a-canary-of-a-wrong-verifier-0123456789-abcdef")
    visitor.token(burnt)
    bff.provider.provider.faults.plant(Fault.CUT)
    bff.clock.advance(timedelta(minutes=40))
    assert visitor.refresh(second["refresh_token"]).status_code == 503
    visitor.token(form)
    bff.services.signing_keys.rotate()

    ours = [r for r in caplog.records if not r.name.startswith(("werkzeug", "bff.simulator"))]
    written = "\n".join(record.getMessage() + str(record.exc_info or "") for record in ours)
    assert "was used before" in written
    assert "canary" not in written
    for secret in (
        form["code"],
        form["code_verifier"],
        burnt["code"],
        CLIENT.client_secret,
        *(answer[name] for answer in (first, second) for name in TOKENS),
    ):
        assert secret not in written


TOKENS = ("access_token", "refresh_token", "id_token")

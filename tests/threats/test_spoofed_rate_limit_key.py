"""Limits count what the server sees, not what a client says about itself."""

from datetime import timedelta

from bff_rig import BffRig, error_of
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.SERVICE,
    can="Evade the limits with a new forwarded address each time: the connection's address counts",
    noticed="`rate_limited`",
)
def test_a_new_forwarded_address_each_time_does_not_help(bff: BffRig) -> None:
    limit = bff.settings.sign_ins_per_minute
    browser = bff.browser()

    answers = [
        browser.get("/auth/login", **{"X-Forwarded-For": f"203.0.113.{number}"})
        for number in range(limit + 1)
    ]

    assert {answer.status_code for answer in answers[:-1]} == {303}
    assert (answers[-1].status_code, error_of(answers[-1])) == (429, "rate_limited")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_after_the_window_people_may_sign_in_again(bff: BffRig) -> None:
    browser = bff.browser()
    for _ in range(bff.settings.sign_ins_per_minute + 1):
        browser.get("/auth/login")
    bff.clock.advance(timedelta(minutes=1, seconds=1))

    browser.sign_in()

    assert browser.signed_in

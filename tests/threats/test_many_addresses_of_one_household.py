"""A stranger has 2^64 addresses and tries a door from another one each time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from bff_rig import BFF, BffRig, error_of, running_bff
from security_model import Asset, Attacker, threat

from bff.records.refusals import SUPPRESSED

AUDITOR: Final = "token-of-the-auditor-0123456789abcdef"
WATCHER: Final = "token-of-the-watcher-0123456789abcdef"
TRIES: Final = 700
Ask = Callable[[BffRig, str], Any]


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_bff(
        tmp_path,
        BFF_AUDIT_TOKEN=AUDITOR,
        BFF_METRICS_TOKEN=WATCHER,
        BFF_DELETION_SECRET="a-secret-of-the-webhook-0123456789abcdef",
    ) as rig:
        assert rig.services.records is not None
        rig.services.records.prepare()
        yield rig


def _get(path: str, **headers: str) -> Ask:
    return lambda bff, address: bff.app.test_client().get(
        path, base_url=BFF, headers=headers, environ_base={"REMOTE_ADDR": address}
    )


DOORS: dict[str, tuple[Ask, int]] = {
    "a wrong token of the auditor": (_get("/records/audit", Authorization="Bearer wrong"), 10),
    "a page about a person": (_get("/records/guests/g", Authorization="Bearer wrong"), 10),
    "no token of the auditor": (_get("/records/audit"), 60),
    "a wrong token of the watcher": (_get("/metrics", Authorization="Bearer wrong"), 10),
    "a sign-in": (_get("/auth/login"), 30),
}


@threat(
    Attacker.STRANGER,
    Asset.SERVICE,
    can="try an endpoint as often as one household may, however many addresses of a /64 they use",
    noticed="the refusals are in the audit log, sampled, with a count of the others",
)
@pytest.mark.parametrize("door", DOORS)
def test_another_address_each_time_does_not_help(bff: BffRig, door: str) -> None:
    ask, limit = DOORS[door]
    answers = [ask(bff, f"2001:db8::{number:x}") for number in range(limit + 20)]

    statuses = [answer.status_code for answer in answers]
    assert 429 not in statuses[:limit]
    assert set(statuses[limit:]) == {429}
    assert error_of(answers[-1]) == "rate_limited"
    assert ask(bff, "2001:db8:0:1::1").status_code != 429


def test_who_has_the_token_is_let_in_whatever_others_try(bff: BffRig) -> None:
    wrong = _get("/records/audit", Authorization="Bearer wrong")
    for number in range(200):
        wrong(bff, f"203.0.113.{number}")
    assert wrong(bff, "198.51.100.1").status_code == 429
    right = _get("/records/audit", Authorization=f"Bearer {AUDITOR}")
    assert right(bff, "203.0.113.1").status_code == 200


@threat(
    Attacker.STRANGER,
    Asset.AUDIT_LOG,
    can="make it grow by some events a minute, whatever they try and from wherever",
    noticed="how many refusals were left out is an event of its own",
)
def test_the_log_that_only_grows_does_not_grow_at_a_strangers_will(bff: BffRig) -> None:
    records = bff.services.records
    assert records is not None
    wrong = _get("/records/audit", Authorization="Bearer wrong")
    for number in range(TRIES):
        wrong(bff, f"2001:db8::{number:x}" if number % 2 else f"203.0.{number % 9}.{number % 250}")
    bff.clock.advance(bff.settings.session_idle)
    records.refusals.once()  # type: ignore[attr-defined]  # the sampler behind the protocol
    records.settle()

    told = _get("/records/audit", Authorization=f"Bearer {AUDITOR}")(bff, "192.0.2.1").get_json()
    refused = [one for one in told["events"] if one["outcome"] == "refused"]
    own = [one for one in refused if set(one["details"]) != {SUPPRESSED}]
    assert len(refused) <= 51
    assert len(own) + sum(one["details"].get(SUPPRESSED, 0) for one in refused) == TRIES

"""What happens to sign-ins and sessions stands in the trail, and who did it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import BffRig, environment, running_bff
from command_rig import brand_site, serving
from redis_server import RedisServer

from bff.adapters.operator_name import operator_name
from bff.adapters.system import SystemClock
from bff.records.record_house import Records
from bff.settings import Settings
from bff.signin.records import EndReason, SessionKey
from bff.trail_ports import TrailRow
from bff.wiring import build

SECONDS = timedelta(seconds=30)


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_bff(tmp_path) as rig:
        records_of(rig).database.upgrade()
        yield rig


def records_of(bff: BffRig) -> Records:
    assert bff.services.records is not None
    return bff.services.records


def trail(bff: BffRig) -> list[TrailRow]:
    records_of(bff).settle()
    return list(records_of(bff).keeper.rows(after=0, limit=100))


def details(row: TrailRow) -> dict[str, str]:
    told: dict[str, str] = json.loads(row.details)
    return told


def test_a_sign_in_names_the_person_by_an_opaque_name_and_the_address(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    (row,) = trail(bff)

    session = bff.services.book.look_up(SessionKey(bff.key_of(browser)))
    assert session is not None
    assert (row.action, row.outcome, row.actor_kind) == ("signed_in", "done", "person")
    assert row.actor == session.person.pairwise
    assert row.source == "127.0.0.1"
    assert details(row) == {"provider": "main", "session": session.key[:16]}
    for personal in ("amira", "Haddad", session.person.subject, "@"):
        assert personal not in f"{row}"


def test_a_sign_in_that_is_refused_is_told_with_its_code(bff: BffRig) -> None:
    browser = bff.browser()
    url = browser.start()
    state = url.partition("state=")[2].partition("&")[0]

    browser.get(f"/auth/callback?error=access_denied&state={state}&iss={bff.provider.url}")

    (row,) = trail(bff)
    assert (row.action, row.outcome) == ("sign_in_failed", "failed")
    assert details(row) == {"code": "sign_in_denied", "provider": "main"}
    assert row.source == "127.0.0.1"


def test_an_answer_that_nobody_asked_for_fills_no_trail(bff: BffRig) -> None:
    """Anybody could send a million of them."""
    bff.browser().get("/auth/callback?error=access_denied&state=made-up")

    assert trail(bff) == []


def test_signing_out_is_the_persons_own_doing(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(seconds=1))
    browser.post("/auth/logout")
    browser.post("/auth/logout")

    signed_in, signed_out = trail(bff)

    assert (signed_out.action, signed_out.actor_kind) == ("signed_out", "person")
    assert signed_out.actor == signed_in.actor
    assert details(signed_out)["reason"] == "signed_out"


def test_a_session_that_an_operator_ends_is_the_operators_doing(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(seconds=1))
    bff.services.sign_out.revoke(SessionKey(bff.key_of(browser)))

    signed_in, revoked = trail(bff)

    assert (revoked.action, revoked.actor_kind) == ("session_revoked", "operator")
    assert revoked.actor == operator_name()
    assert details(revoked)["person"] == signed_in.actor
    assert revoked.source is None


def test_a_session_that_the_provider_ends_is_nobodys_doing_here(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(seconds=1))
    token = bff.provider.provider.logout_token("brand", subject="c-20417")
    bff.app.test_client().post("/auth/backchannel-logout", data={"logout_token": token})

    _, ended = trail(bff)

    assert (ended.action, ended.actor_kind, ended.actor) == ("session_revoked", "system", "")
    assert details(ended)["reason"] == EndReason.PROVIDER_LOGOUT


def test_signing_in_again_replaces_the_session_before(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()
    bff.clock.advance(timedelta(seconds=1))
    browser.sign_in()

    told = [(row.action, details(row).get("reason")) for row in trail(bff)]

    assert sorted(told[1:], key=str) == [("session_revoked", "replaced"), ("signed_in", None)]


def test_a_sign_in_does_not_wait_for_a_database_that_is_away(tmp_path: Path) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    with running_bff(tmp_path, BFF_RECORDS_URL=away) as bff:
        browser = bff.browser()

        assert browser.sign_in().status_code == 303
        assert browser.signed_in
        assert len(records_of(bff).outbox.waiting()) == 1


def test_with_redis_and_no_database_nothing_is_kept(tmp_path: Path) -> None:
    with RedisServer() as redis, running_bff(tmp_path, BFF_STORE_URL=redis.url) as bff:
        bff.browser().sign_in()

        assert bff.services.records is None
        assert bff.services.store.members("outbox") == []


def test_serve_brings_events_into_the_trail_and_signs_the_first(tmp_path: Path) -> None:
    """The whole way: a command ends a session, the service that runs writes it down."""
    heads = tmp_path / "heads.jsonl"
    elsewhere = set(Path.cwd().iterdir())
    with brand_site(tmp_path, BFF_AUDIT_HEADS=str(heads)) as site, serving(site):
        assert site.command("keys", "rotate").code == 0
        clock = SystemClock()
        deadline = clock.now() + SECONDS
        while not (heads.exists() and heads.read_text()) and clock.now() < deadline:
            clock.sleep(timedelta(milliseconds=50))

        report = site.command("audit", "report", "--format", "jsonl")
        verified = site.command("audit", "verify")

    told = [json.loads(line) for line in report.out.splitlines()]
    assert {"keys_rotated", "report_read"} == {one["action"] for one in told}
    assert {"operator", "system"} == {one["actor_kind"] for one in told[:-1]}
    assert verified.code == 0, verified.out
    assert "1 copies outside" in verified.out
    assert (tmp_path / "store-records.sqlite3").exists()
    assert set(Path.cwd().iterdir()) == elsewhere


def test_two_services_of_one_address_write_one_trail(bff: BffRig, tmp_path: Path) -> None:
    env = environment(bff.provider.url, BFF_STORE_URL=f"sqlite:///{tmp_path / 'store.sqlite3'}")
    other = build(Settings.read(env), clock=bff.clock)
    bff.browser().sign_in()
    assert other.records is not None

    other.records.settle()

    assert [row.action for row in records_of(bff).keeper.rows(after=0, limit=9)] == ["signed_in"]
    other.close()

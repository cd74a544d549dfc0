"""`messenger-bff keys`: new ones, the ring, its rotation under running servers, the master key."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bff_rig import a_key, environment, running_bff
from command_rig import Outcome, Site, brand_site, run_command, serving
from redis_server import RedisServer
from wire_browser import WireBrowser

from bff.adapters.system import SystemClock
from bff.crypto.keyring import STALENESS
from bff.crypto.sealed_value import key_id_of

OLD, NEW = a_key("A"), a_key("P")


def in_state(done: Outcome, use: str, state: str) -> list[str]:
    return [row[1] for row in done.rows if (row[0], row[2]) == (use, state)]


def test_a_new_key_is_good_enough_for_the_settings(tmp_path: Path) -> None:
    made = [run_command("keys", "new", folder=tmp_path, env={}) for _ in range(2)]

    keys = {base64.urlsafe_b64decode(done.out.strip() + "=") for done in made}
    assert [len(key) for key in keys] == [32, 32]
    assert {done.err for done in made} == {""}


def test_the_list_of_a_fresh_store_shows_one_key_that_seals_and_two_that_sign(site: Site) -> None:
    done = site.command("keys", "list")

    assert done.code == 0
    assert [row[0:3:2] for row in done.rows] == [
        ["seal", "sealing"],
        ["sign", "signing"],
        ["sign", "next"],
    ]


def test_rotation_puts_every_kind_of_key_one_step_on(site: Site) -> None:
    before = site.command("keys", "list")

    after = site.command("keys", "rotate")

    assert after.code == 0
    assert in_state(after, "seal", "opening") == in_state(before, "seal", "sealing")
    assert in_state(after, "seal", "sealing") != in_state(before, "seal", "sealing")
    assert in_state(after, "sign", "signing") == in_state(before, "sign", "next")
    assert in_state(after, "sign", "retiring") == in_state(before, "sign", "signing")


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_running_servers_open_old_sessions_and_seal_with_the_new_key(
    tmp_path: Path, store: str
) -> None:
    clock = SystemClock()
    with RedisServer() as redis:
        url = redis.url if store == "redis" else f"sqlite:///{tmp_path / 'store.sqlite3'}"
        with running_bff(tmp_path, provider={"clock": clock}, BFF_STORE_URL=url) as bff:
            before = bff.browser()
            before.sign_in()
            env = environment(bff.provider.url, BFF_STORE_URL=url)
            rotated = run_command("keys", "rotate", folder=tmp_path, env=env)
            clock.shift = STALENESS
            after = bff.browser()
            after.sign_in("zoe")
            entry = bff.services.store.get(f"session:{bff.key_of(after)}")

            assert before.signed_in
            assert before.post("/messenger/code").status_code == 200

    assert rotated.code == 0, rotated.err
    assert entry is not None
    assert [key_id_of(entry.value).hex()] == in_state(rotated, "seal", "sealing")


def test_the_master_key_is_changed_in_three_restarts_and_nobody_is_signed_out(site: Site) -> None:
    browser = WireBrowser(site.url)
    with serving(site):
        browser.sign_in()
    steps = [
        {"BFF_MASTER_KEY": OLD, "BFF_MASTER_KEY_PREVIOUS": NEW},
        {"BFF_MASTER_KEY": NEW, "BFF_MASTER_KEY_PREVIOUS": OLD},
        {"BFF_MASTER_KEY": NEW},
    ]

    listed = [site.command("sessions", "list", **step) for step in steps]
    with serving(site.with_settings(BFF_MASTER_KEY=NEW), name="changed"):
        still_signed_in = browser.signed_in

    assert [done.code for done in listed] == [0, 0, 0]
    assert all("amira@example.com" in done.out for done in listed)
    assert still_signed_in
    assert site.command("sessions", "list").code == 2


@pytest.mark.parametrize("words", [("serve",), ("sessions", "list"), ("keys", "rotate")])
def test_a_lost_master_key_is_told_and_nothing_is_replaced(
    site: Site, words: tuple[str, ...]
) -> None:
    ring = site.command("keys", "list").out

    done = site.command(*words, BFF_MASTER_KEY=NEW)

    assert done.code == 2
    assert "BFF_MASTER_KEY does not open this store" in done.err
    assert "Traceback" not in done.err
    assert all(key not in done.err for key in (OLD, NEW))
    assert site.command("keys", "list").out == ring


def test_where_there_are_chats_their_keys_are_listed_and_rotated_too(site: Site) -> None:
    chats = site.with_settings(BFF_GENESYS_DEPLOYMENT_ID="5b3c7d2e-1111-4222-8333-444455556666")
    before = chats.command("keys", "rotate")

    after = chats.command("keys", "rotate")

    assert after.code == 0
    assert in_state(before, "chat", "sealing")[0] in in_state(after, "chat", "opening")
    assert in_state(after, "chat", "sealing") != in_state(before, "chat", "sealing")


DEPLOYMENT = "5b3c7d2e-1111-4222-8333-444455556666"
RINGS = ("seal", "chat", "guest")


def masters(done: Outcome) -> dict[str, set[str]]:
    """Return under which master key the keys of each ring lie, as `keys list` says it."""
    found: dict[str, set[str]] = {}
    for row in done.rows:
        if row[0] in RINGS:
            found.setdefault(row[0], set()).add(row[4].partition(" ")[2])
    return found


@pytest.fixture(params=["sqlite", "redis"])
def with_every_ring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A service with sessions, chats and guests, whose rings have all been made."""
    with ExitStack() as running:
        url = running.enter_context(RedisServer()).url if request.param == "redis" else ""
        records = f"sqlite:///{tmp_path / 'records.sqlite3'}"
        here = running.enter_context(brand_site(tmp_path, store_url=url))
        made = here.with_settings(BFF_GENESYS_DEPLOYMENT_ID=DEPLOYMENT, BFF_RECORDS_URL=records)
        assert made.command("keys", "rotate").code == 0
        yield made


def test_the_master_key_is_changed_as_documented_without_any_traffic(
    with_every_ring: Site,
) -> None:
    here = with_every_ring
    before = here.command("keys", "list")
    assert masters(before) == {use: {"(BFF_MASTER_KEY)"} for use in RINGS}
    for number, step in enumerate(
        (
            {"BFF_MASTER_KEY": OLD, "BFF_MASTER_KEY_PREVIOUS": NEW},
            {"BFF_MASTER_KEY": NEW, "BFF_MASTER_KEY_PREVIOUS": OLD},
        )
    ):
        with serving(here.with_settings(**step), name=f"step-{number}"):
            """Nobody comes."""
    changing = here.with_settings(BFF_MASTER_KEY=NEW, BFF_MASTER_KEY_PREVIOUS=OLD)
    checked = changing.command("check")
    assert "BFF_MASTER_KEY_PREVIOUS is set, and no keyring needs it" in checked.out

    alone = here.with_settings(BFF_MASTER_KEY=NEW)
    with serving(alone, name="step-3"):
        after = alone.command("keys", "list")

    assert after.code == 0, after.err
    assert masters(after) == {use: {"(BFF_MASTER_KEY)"} for use in RINGS}
    assert [row[:3] for row in after.rows] == [row[:3] for row in before.rows]


def test_check_forbids_the_last_step_until_every_ring_is_encrypted_anew(
    with_every_ring: Site,
) -> None:
    changing = with_every_ring.with_settings(BFF_MASTER_KEY=NEW, BFF_MASTER_KEY_PREVIOUS=OLD)

    before = changing.command("check")
    rekeyed = changing.command("keys", "rekey")
    after = changing.command("check")

    assert before.code == 1
    assert "BFF_MASTER_KEY_PREVIOUS is needed by: chat, guest" in before.out
    assert "Not ready" in before.out
    assert [line.partition(":")[0] for line in rekeyed.out.splitlines()] == list(RINGS)
    assert "chat: encrypted anew, under " in rekeyed.out
    assert "guest: encrypted anew, under " in rekeyed.out
    assert "no keyring needs it" in after.out
    assert with_every_ring.command("keys", "list").code == 2, "the old key alone opens nothing"


def test_the_new_key_too_early_is_refused_and_names_the_ring(with_every_ring: Site) -> None:
    early = with_every_ring.with_settings(BFF_MASTER_KEY=NEW)

    refused, checked = early.command("serve"), early.command("check")

    assert refused.code == 2
    assert "key ring 'at-rest'" in refused.err
    assert "keyring guest: encrypted under master key" in checked.out
    assert "(not configured)" in checked.out
    assert checked.code == 1
    assert with_every_ring.command("keys", "list").code == 0, "nothing was replaced"


def test_the_ring_of_a_part_that_is_switched_off_comes_along(tmp_path: Path) -> None:
    with brand_site(tmp_path) as here:
        chats = here.with_settings(BFF_GENESYS_DEPLOYMENT_ID=DEPLOYMENT)
        assert chats.command("keys", "rotate").code == 0

        moved = here.command("keys", "rekey", BFF_MASTER_KEY=NEW, BFF_MASTER_KEY_PREVIOUS=OLD)

        assert moved.code == 0, moved.err
        again = chats.command("keys", "list", BFF_MASTER_KEY=NEW)
        assert masters(again)["chat"] == {"(BFF_MASTER_KEY)"}

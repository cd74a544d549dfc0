"""Who is meant by an e-mail, a person or a number; erasing at Genesys too; and the certificate."""

import json
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from erasure_rig import PROFILE, ErasureRig, erasure_rig
from sqlalchemy import text
from typed_commands import Typist, typist

from bff.adapters.system import SystemClock
from bff.records.guest_memory import GuestFacts
from bff.setting_checks import decoded_key
from bff.signin.fingerprints import PairwiseSubjects
from bff.signin.records import Person
from bff.signin.session_book import SessionBook, SessionLimits, SignedIn
from bff.simulator.genesys_faults import Door, Fault

MUNICH = "amira@münchen.example"
DAY = timedelta(days=1)
FIELDS = "mobile,plan"


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typist]:
    with typist(tmp_path, monkeypatch, capsys, BFF_PROFILE_FIELDS=FIELDS) as made:
        yield made


def kept_as(rig: ErasureRig, guest_id: str, form: str, tenant: str | None = None) -> None:
    """Let a guest stand in the table as an earlier version wrote its e-mail, or a tenant."""
    chosen = tenant or rig.guests.tenant
    print_ = rig.records.keys.fingerprint("email", chosen, form)
    words = text("UPDATE guests SET email = :print, tenant = :tenant WHERE guest_id = :id")
    values = {"print": print_, "tenant": chosen, "id": guest_id}
    rig.records.database.write(lambda connection: connection.execute(words, values))  # type: ignore[attr-defined]  # the real one


@pytest.mark.parametrize(
    "asked_as",
    [MUNICH, "AMIRA@xn--mnchen-3ya.example.", "Amira＠münchen.example"],  # noqa: RUF001 - wide
)
@pytest.mark.parametrize("before", [None, MUNICH, "amira@xn--mnchen-3ya.example"])
def test_an_email_is_found_however_it_is_and_was_written(
    operator: Typist, asked_as: str, before: str | None
) -> None:
    with operator.records() as rig:
        rig.remember(profile={"email": before or "Amira@München.example", "name": "Amira"})
        if before is not None:
            kept_as(rig, "guest-1", before.casefold())
    assert operator.type("erase", "--email", asked_as, "--yes").out == "guest-1: erased\n"


def test_who_waits_in_the_outbox_is_found_by_every_command(operator: Typist) -> None:
    words = (("export",), ("gdpr", "request"), ("erase",))
    for number, command in enumerate(words):
        with operator.records() as rig:
            profile = {"email": f"a{number}@example.com", "mobile": "+49 170 1234567"}
            facts = {"at": rig.clock.now(), "person": f"person-{number}", "profile": profile}
            rig.guests.memory.remember(GuestFacts(guest_id=f"guest-{number}", **facts))
        named = (
            ("--person", f"person-{number}") if "gdpr" in command else ("--email", profile["email"])
        )
        done = operator.type(*command, *named)
        assert done.code == 0, done.err
        assert profile["email"] in done.out or f"guest-{number}" in done.out


def test_who_was_known_under_another_deployment_is_found_and_erased(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember("guest-1")
        rig.remember("guest-2", device_id="other")
        kept_as(rig, "guest-2", "amira@example.com", tenant="the deployment before")
    assert len(json.loads(operator.type("export", "--email", PROFILE["email"]).out)) == 2
    done = operator.type("erase", "--email", PROFILE["email"], "--yes")
    assert sorted(done.out.splitlines()) == ["guest-1: erased", "guest-2: erased"]


def test_two_addresses_that_were_one_to_the_version_before_are_told_apart(
    operator: Typist,
) -> None:
    with operator.records() as rig:
        rig.remember("guest-1", profile={"email": "a@straße.example"})
        rig.remember("guest-2", device_id="other", profile={"email": "a@strasse.example"})
        for guest_id in ("guest-1", "guest-2"):
            kept_as(rig, guest_id, "a@strasse.example")
    assert operator.type("erase", "--email", "a@straße.example", "--yes").out == "guest-1: erased\n"


def test_a_person_is_found_by_what_genesys_a_provider_or_a_session_calls_them(
    operator: Typist,
) -> None:
    with operator.records() as rig:
        settings = rig.settings
        issuer = next(iter(settings.providers.values())).issuer
        pairwise = PairwiseSubjects(decoded_key(settings.pairwise_salt)).subject(
            sector="genesys", issuer=issuer, subject="subject-of-amira"
        )
        rig.remember(person=pairwise)
        rig.remember("guest-2", device_id="other", person="pairwise-of-zoe")
        book = SessionBook(rig.foundation, limits=SessionLimits(idle=DAY, absolute=DAY))
        person = Person(
            provider="main",
            subject="z",
            pairwise="pairwise-of-zoe",
            claims={"email": "zoe@b.example"},
        )
        now = rig.clock.now()
        book.begin(
            book.new_token(), SignedIn(person=person, provider_sid=None, auth_time=now, acr=None)
        )
    for name in (pairwise, "subject-of-amira"):
        assert operator.type("erase", "--person", name).out.startswith("guest-1: record")
    for name in ("pairwise-of-zoe", "z", "ZOE@b.example"):
        assert operator.type("erase", "--person", name).out.startswith("guest-2: record")
    assert operator.type("erase", "--person", "nobody").code == 1


def test_a_number_is_found_in_whatever_field_it_was_kept(operator: Typist) -> None:
    place = (operator.folder, operator.url)
    with erasure_rig(*place, clock=SystemClock(), BFF_PROFILE_FIELDS=FIELDS) as rig:
        rig.remember("guest-1", profile={"mobile": "+49 (0) 170 / 123 45 67"})
        rig.remember("guest-2", device_id="other", profile={"plan": "gold", "mobile": "0301234567"})
        rig.remember("guest-3", device_id="third", profile={"name": "+491701234567"})
    done = operator.type("erase", "--phone", "0049 170 1234567", "--yes")
    assert done.out == "guest-1: erased\n"
    assert operator.type("erase", "--phone", "0049 170 1234567").code == 1
    assert operator.type("export", "--phone", "none").code == 1


def claimed(rig: ErasureRig) -> None:
    rig.remember("guest-1", email_verified=True)
    rig.remember("guest-2", device_id="other", email_verified=False)


def test_an_email_that_only_a_page_has_claimed_is_told_apart_and_left(operator: Typist) -> None:
    with operator.records() as rig:
        claimed(rig)
    first, second, _ = operator.type("erase", "--email", PROFILE["email"]).out.splitlines()
    assert first.startswith("guest-1")
    assert "--unverified" not in first
    assert second.startswith("guest-2")
    assert "Only with --unverified" in second
    done = operator.type("erase", "--email", PROFILE["email"], "--yes")
    assert (done.code, done.out) == (0, "guest-1: erased\n")
    assert "guest-2: left alone: only a page has said" in done.err
    done = operator.type("erase", "--email", PROFILE["email"], "--yes")
    assert (done.code, done.out) == (1, "")
    done = operator.type("erase", "--email", PROFILE["email"], "--yes", "--unverified")
    assert done.out == "guest-2: erased\n"


def test_genesys_is_never_asked_to_delete_an_address_that_nobody_verified(
    operator: Typist,
) -> None:
    with operator.records() as rig:
        claimed(rig)
    for words in (("gdpr", "request", "guest-2"), ("erase", "guest-2", "--gdpr")):
        done = operator.type(*words, "--yes")
        assert done.code == 1
        assert "add --unverified" in done.err
    with operator.records() as rig:
        assert rig.guests.erasure.knows("guest-2"), "nothing is lost"
    assert operator.type("gdpr", "request", "guest-2", "--yes", "--unverified").code == 0
    assert operator.type("gdpr", "request", "guest-1", "--yes").code == 0


def test_both_in_one_command_in_the_order_that_works_with_a_certificate(
    operator: Typist, tmp_path: Path
) -> None:
    with operator.records() as rig:
        rig.remember(email_verified=True)
        pseudonym = rig.records.keys.pseudonym("guest-1")
    file = tmp_path / "certificate.json"
    done = operator.type("erase", "guest-1", "--gdpr", "--yes", "--certificate", str(file))
    assert (done.code, done.out) == (0, "guest-1: erased\n")
    assert "asked for at Genesys as " in done.err
    assert "remains: backups" in done.err
    written = file.read_text("utf-8")
    document = json.loads(written)
    (guest,) = document["guests"]
    assert (guest["pseudonym"], guest["result"]) == (pseudonym, "erased")
    assert guest["genesys"]["request_id"] in done.err
    assert [event["action"] for event in guest["events"]] == ["erasure_asked", "guest_erased"]
    assert guest["covered_by_checkpoint"] is True
    assert document["checkpoint"]["seq"] >= guest["events"][-1]["seq"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for word in ("guest-1", *PROFILE.values()):
        assert word not in written
    with operator.records() as rig:
        hashes = {row.seq: row.hash.hex() for row in rig.records.keeper.rows(after=0, limit=99)}
        assert all(hashes[event["seq"]] == event["hash"] for event in guest["events"])
        assert rig.verdict().faults == ()
    # Lost, it is written again, with the request that was filed.
    file.unlink()
    again = operator.type("erase", "guest-1", "--gdpr", "--yes", "--certificate", str(file))
    assert again.out == "guest-1: already erased\n"
    assert json.loads(file.read_text("utf-8"))["guests"][0]["genesys"] == guest["genesys"]


def test_while_genesys_is_away_nothing_is_lost_and_the_next_run_goes_on(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember(email_verified=True)
    operator.genesys.behaviour.missing_permission = "gdpr:request:add"
    done = operator.type("erase", "guest-1", "--gdpr", "--yes")
    assert done.code == 1
    assert "guest-1: not done: " in done.err
    with operator.records() as rig:
        assert rig.guests.memory.profile_of("guest-1") == PROFILE, "the e-mail is still needed"
    operator.genesys.behaviour.missing_permission = ""
    done = operator.type("erase", "guest-1", "--gdpr", "--yes")
    assert (done.code, done.out) == (0, "guest-1: erased\n")


def test_an_answer_that_was_lost_is_not_asked_for_twice_by_accident(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember(email_verified=True)
    operator.genesys.faults.order(Door.GDPR, Fault(status=500))
    assert "genesys_outcome_unknown" in operator.type("erase", "guest-1", "--gdpr", "--yes").err
    done = operator.type("erase", "guest-1", "--gdpr", "--yes")
    assert done.code == 1
    assert "--file-again" in done.err
    done = operator.type("erase", "guest-1", "--gdpr", "--yes", "--file-again")
    assert (done.code, done.out) == (0, "guest-1: erased\n")


def test_one_request_is_filed_for_an_email_that_two_guests_have(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember("guest-1", email_verified=True)
        rig.remember("guest-2", device_id="other", email_verified=True)
    done = operator.type("erase", "--email", PROFILE["email"], "--gdpr", "--yes")
    assert sorted(done.out.splitlines()) == ["guest-1: erased", "guest-2: erased"]
    ids = {line.split(" as ")[1] for line in done.err.splitlines() if " as " in line}
    assert len(ids) == 1


def test_what_cannot_be_certified_is_not_begun(operator: Typist, tmp_path: Path) -> None:
    with operator.records() as rig:
        rig.remember()
    file = tmp_path / "no" / "such" / "folder.json"
    assert operator.type("erase", "guest-1", "--yes", "--certificate", str(file)).code == 2
    with operator.records() as rig:
        assert rig.guests.erasure.knows("guest-1")


def test_an_export_by_email_shows_all_who_have_it_and_writes_down_each(operator: Typist) -> None:
    with operator.records() as rig:
        claimed(rig)
    done = operator.type("export", "--email", PROFILE["email"])
    assert {one["guest_id"] for one in json.loads(done.out)} == {"guest-1", "guest-2"}
    assert "guest-2: mind whom you give it to" in done.err
    with operator.records() as rig:
        assert [action for action, *_ in rig.told()].count("profile_exported") == 2
    assert operator.type("export", "--email", "n@b.example").code == 1

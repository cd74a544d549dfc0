"""`messenger-bff erase`, `export`, `records prune`, `gdpr`, `callbacks`: typed by an operator."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import PureCloudPlatformClientV2 as PureCloud
import pytest
from erasure_rig import PROFILE, TOKEN
from typed_commands import CLIENT, Typist, typist

from bff.adapters.operator_name import operator_name
from bff.cli import main
from bff.records.guest_memory import GuestFacts
from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.genesys_records import GDPR


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typist]:
    with typist(tmp_path, monkeypatch, capsys) as made:
        yield made


def test_erase_says_what_it_would_do_and_does_it_when_told_so(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember()
        rig.bind()
    asked = operator.type("erase", "guest-1")
    assert asked.code == 0
    assert "guest-1: record, last seen" in asked.out
    assert "a key; open sessions: 1" in asked.out
    assert "nothing was done" in asked.out
    with operator.records() as rig:
        assert rig.guests.memory.profile_of("guest-1") == PROFILE
    done = operator.type("erase", "guest-1", "--yes")
    assert (done.code, done.out) == (0, "guest-1: erased\n")
    assert operator.type("erase", "guest-1", "--yes").out == "guest-1: already erased\n"
    with operator.records() as rig:
        assert not rig.guests.erasure.knows("guest-1")
        actors = {actor for action, actor, _ in rig.told() if action == "guest_erased"}
        assert actors == {f"operator:{operator_name()}"}


def test_an_email_names_every_guest_who_has_it_however_it_is_written(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember("guest-1")
        rig.remember("guest-2", device_id="phone")
        rig.remember("guest-3", device_id="other", profile={"email": "zoe@example.com"})
    done = operator.type("erase", "--email", " AMIRA@example.com", "--yes")
    assert sorted(done.out.splitlines()) == ["guest-1: erased", "guest-2: erased"]
    with operator.records() as rig:
        assert rig.guests.rows.count() == 1


@pytest.mark.parametrize(
    "words", [["erase", "nobody"], ["erase", "nobody", "--yes"], ["erase", "--email", "n@b.c"]]
)
def test_whom_nobody_knows_is_said_and_is_a_fault(operator: Typist, words: list[str]) -> None:
    done = operator.type(*words)
    assert done.code == 1
    assert "guest_unknown" in done.err


def test_an_export_has_all_that_is_known_and_nothing_that_opens_anything(
    operator: Typist,
) -> None:
    with operator.records() as rig:
        rig.remember(person="pairwise-of-amira")
        rig.bind()
    done = operator.type("export", "guest-1")
    known = json.loads(done.out)
    assert known["profile"] == PROFILE
    assert known["record"]["fingerprints"].keys() == {"device", "person", "email", "browser"}
    assert len(known["sessions"]) == 1
    assert TOKEN not in done.out
    again = json.loads(operator.type("export", "guest-1").out)
    assert [event["action"] for event in again["events"]] == ["profile_exported"]


def test_after_an_erasure_an_export_proves_it_and_knows_nothing_else(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember()
    operator.type("erase", "guest-1", "--yes")
    known = json.loads(operator.type("export", "guest-1").out)
    assert (known["profile"], known["record"], known["sessions"]) == ({}, None, [])
    assert [event["action"] for event in known["events"]] == ["erasure_asked", "guest_erased"]
    assert operator.type("export", "nobody").code == 1


def test_pruning_erases_whom_nobody_has_seen_and_the_trail_still_verifies(
    operator: Typist,
) -> None:
    with operator.records() as rig:
        rig.remember("new")
        long_ago = rig.clock.now() - timedelta(days=400)
        for number in range(3):
            facts = GuestFacts(guest_id=f"old-{number}", at=long_ago, profile=PROFILE)
            assert rig.guests.memory.write(facts)
    asked = operator.type("records", "prune", "--older-than", "365d")
    assert asked.out.startswith("3 guests last seen before ")
    assert "nothing was done" in asked.out
    done = operator.type("records", "prune", "--older-than", "365d", "--yes")
    assert done.out == "3 guests erased, addresses of 0 events forgotten\n"
    with operator.records() as rig:
        assert rig.guests.rows.count() == 1
        assert rig.guests.memory.profile_of("new") == PROFILE
        assert [action for action, *_ in rig.told()].count("guest_erased") == 3
        assert rig.told()[-1][0] == "records_pruned"
        assert rig.verdict().faults == ()
    assert operator.type("audit", "verify").code == 0


@pytest.mark.parametrize("age", ["", "365", "-1d", "1.5d", "1y", "0d"])
def test_an_age_that_is_none_is_refused_before_anything_is_opened(
    age: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["records", "prune", f"--older-than={age}"])
    assert left.value.code == 2
    assert "is not an age" in capsys.readouterr().err


def test_a_gdpr_request_is_filed_when_told_so_and_followed_to_its_end(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember()
    asked = operator.type("gdpr", "request", "guest-1")
    assert "Amira@Example.com" in asked.out
    assert "nothing was done" in asked.out
    filed = operator.type("gdpr", "request", "guest-1", "--yes")
    assert filed.code == 0, filed.err
    request_id, _, status = filed.out.splitlines()[0].partition(": ")
    assert status == "INITIATED"
    operator.monkeypatch.setattr("bff.record_commands.POLL", timedelta(milliseconds=1))
    followed = operator.type("gdpr", "status", request_id, "--wait")
    assert followed.out == f"{request_id}: COMPLETED\n"
    assert followed.err.splitlines() == [f"{request_id}: SEARCHING", f"{request_id}: DELETING"]
    with operator.records() as rig:
        (event,) = rig.records.keeper.rows(after=0, limit=9)
        assert event.action == "gdpr_requested"
        assert request_id in event.details
        assert "Example" not in event.details


@pytest.mark.parametrize(
    ("option", "value", "spelled"),
    [
        ("--email", "a@example.com", '{"emailAddresses": ["a@example.com"]}'),
        ("--phone", "+4912345", '{"phoneNumbers": ["+4912345"]}'),
        ("--external-contact", "c-1", '{"externalContactId": "c-1"}'),
        ("--external-id", "x-1", '{"externalId": "x-1"}'),
    ],
)
def test_a_person_can_be_named_in_the_ways_of_genesys(
    operator: Typist, option: str, value: str, spelled: str
) -> None:
    assert spelled in operator.type("gdpr", "request", option, value).out
    assert operator.type("gdpr", "request", option, value, "--yes").code == 0


def test_a_request_that_genesys_refuses_is_told_and_written_down(operator: Typist) -> None:
    operator.genesys.behaviour.missing_permission = "gdpr:request:add"
    done = operator.type("gdpr", "request", "--email", "a@example.com", "--yes")
    assert done.code == 1
    assert "gdpr:request:add" in done.err
    with operator.records() as rig:
        (event,) = rig.records.keeper.rows(after=0, limit=9)
        assert (event.action, event.outcome) == ("gdpr_requested", "failed")
    assert operator.type("gdpr", "status", "../../x").code == 1
    assert operator.type("gdpr", "status", "unknown").code == 1


def test_a_request_whose_answer_is_lost_is_not_filed_twice(operator: Typist) -> None:
    operator.genesys.faults.order(Door.GDPR, Fault(status=500))
    done = operator.type("gdpr", "request", "--email", "a@example.com", "--yes")
    assert done.code == 1
    assert "genesys_outcome_unknown" in done.err
    assert operator.genesys.faults.pending() == {}


def test_a_callback_is_registered_at_a_gateway_that_has_such_a_door(operator: Typist) -> None:
    url = "https://auth.brand.example/webhooks/guest-deletion"
    assert operator.type("callbacks", "register", url).code == 1, "Genesys itself has none"
    operator.genesys.behaviour.gateway_makes_guests = True
    done = operator.type("callbacks", "register", url)
    assert done.code == 0, done.err
    assert done.out.endswith(f": {url}\n")
    for unsafe in ("http://auth.brand.example/x", "ftp://a.example", "x", "https://u@a.example/"):
        assert operator.type("callbacks", "register", unsafe).code == 1


def test_a_rotation_seals_the_keys_of_the_guests_anew(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember()
        before = rig.guests.ring.keys()[-1].id
    assert operator.type("keys", "rotate").code == 0
    with operator.records() as rig:
        assert rig.guests.ring.keys()[-1].id != before
        assert rig.guests.keys.reseal() == 0
        assert rig.guests.memory.profile_of("guest-1") == PROFILE


def test_the_vendors_own_client_finds_the_same_doors(operator: Typist) -> None:
    """What the stand-in answers is what the published SDK sends and reads."""
    client = PureCloud.api_client.ApiClient()
    port = int(operator.platform.url.rsplit(":", 1)[1])
    client.set_gateway("127.0.0.1", "http", port, "", "")
    client.get_client_credentials_token(CLIENT.client_id, CLIENT.client_secret)
    api = PureCloud.GeneralDataProtectionRegulationApi(client)
    wanted = PureCloud.GDPRRequest()
    wanted.request_type = "GDPR_DELETE"
    wanted.subject = PureCloud.GDPRSubject()
    wanted.subject.email_addresses = ["a@example.com"]
    filed = api.post_gdpr_requests(wanted, delete_confirmed=True)
    assert filed.status == "INITIATED"
    assert api.get_gdpr_request(filed.id).status == "SEARCHING"
    assert filed.self_uri == f"{GDPR}/{filed.id}"


def test_without_records_there_is_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with typist(tmp_path, monkeypatch, capsys) as made:
        env = {**made.env, "BFF_STORE_URL": "redis://127.0.0.1:1/0"}
        env.pop("BFF_RECORDS_URL")
        monkeypatch.delenv("BFF_RECORDS_URL", raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert main(["erase", "guest-1"]) == 1
        assert "records_off" in capsys.readouterr().err

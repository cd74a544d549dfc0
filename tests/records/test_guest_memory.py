"""What is remembered of a guest, who gets it back, and what a copy of the database is worth."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from records_rig import TENANT, RecordsRig
from sqlalchemy import text

from bff.records.guest_memory import Recall

DEVICE = "device-1"
BROWSER = "b" * 43
OTHER = "o" * 43
TOKEN = "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa"
PROFILE = {"email": "Amira@Example.com", "name": "Amira Haddad", "plan": "gold", "shoe": "39"}


def remembered(rig: RecordsRig, guest_id: str = "guest-1", **more: Any) -> None:
    chosen: dict[str, Any] = {
        "device_id": DEVICE,
        "browser_secret": BROWSER,
        "genesys_token": TOKEN,
        "profile": PROFILE,
    }
    assert rig.memory.write(rig.facts(guest_id, **{**chosen, **more}))


def recalled(rig: RecordsRig, **more: Any) -> tuple[Recall, Any]:
    chosen: dict[str, Any] = {"device_id": DEVICE, "browser_secret": BROWSER, "person": None}
    return rig.memory.recall(**{**chosen, **more})


def test_a_guest_who_comes_back_has_token_and_profile(rig: RecordsRig) -> None:
    remembered(rig)
    came, guest = recalled(rig)
    assert came is Recall.RESUMED
    assert (guest.guest_id, guest.genesys_token) == ("guest-1", TOKEN)
    assert guest.profile == {"email": "Amira@Example.com", "name": "Amira Haddad", "plan": "gold"}


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        ({"device_id": None}, Recall.UNKNOWN),
        ({"device_id": ""}, Recall.UNKNOWN),
        ({"device_id": "unknown"}, Recall.UNKNOWN),
        ({"device_id": "device-2"}, Recall.UNKNOWN),
        ({"browser_secret": OTHER}, Recall.UNPROVEN),
        ({"browser_secret": None}, Recall.UNPROVEN),
        ({"browser_secret": ""}, Recall.UNPROVEN),
    ],
)
def test_without_a_device_no_match_and_without_proof_no_session(
    rig: RecordsRig, asked: dict[str, str | None], outcome: Recall
) -> None:
    remembered(rig)
    remembered(rig, "without-device", device_id=None)
    assert recalled(rig, **asked) == (outcome, None)


def test_same_device_other_person_never(rig: RecordsRig) -> None:
    remembered(rig, person="amira")
    assert recalled(rig, person="zoe") == (Recall.UNPROVEN, None)
    assert recalled(rig, person=None) == (Recall.UNPROVEN, None), "signed out, same browser"
    came, guest = recalled(rig, person="amira", browser_secret=OTHER)
    assert came is Recall.RESUMED, "the person is proof in another browser on the device"
    assert guest.guest_id == "guest-1"


def test_the_newest_of_several_that_are_ones_own_is_resumed(rig: RecordsRig) -> None:
    remembered(rig, "old")
    rig.clock.advance(timedelta(minutes=1))
    remembered(rig, "new")
    rig.clock.advance(timedelta(minutes=1))
    remembered(rig, "of another browser", browser_secret=OTHER)
    assert recalled(rig)[1].guest_id == "new"


def test_two_tenants_with_the_same_device_id_are_two(rig: RecordsRig) -> None:
    remembered(rig)
    other = rig.another_tenant("deployment-2")
    came, _ = other.recall(device_id=DEVICE, browser_secret=BROWSER, person=None)
    assert came is Recall.UNKNOWN
    assert rig.rows.find("guest-1").device != other._print("device", DEVICE)  # type: ignore[union-attr]


def test_a_later_word_counts_and_an_older_one_fills_gaps_only(rig: RecordsRig) -> None:
    remembered(rig, profile={"email": "new@example.com"})
    late = rig.facts(profile={"email": "old@example.com", "name": "Amira"})
    earlier = type(late)(
        guest_id=late.guest_id, at=late.at - timedelta(minutes=5), profile=late.profile
    )
    assert rig.memory.write(earlier)
    assert rig.memory.profile_of("guest-1") == {"email": "new@example.com", "name": "Amira"}


def test_nothing_personal_stands_in_the_database(rig: RecordsRig) -> None:
    remembered(rig, person="pairwise-of-amira")
    rows = rig.sql.read(lambda connection: connection.execute(text("SELECT * FROM guests")).all())
    stored = repr(rows).casefold()
    for secret in ("amira", "example.com", "gold", DEVICE, BROWSER, TOKEN, "shoe"):
        assert secret.casefold() not in stored.replace("guest-1", ""), secret


def test_without_its_key_no_copy_of_a_guest_opens(rig: RecordsRig) -> None:
    remembered(rig)
    backup = rig.rows.find("guest-1")
    assert backup is not None
    assert rig.keys.destroy("guest-1")
    assert recalled(rig) == (Recall.UNREADABLE, None)
    assert rig.memory.profile_of("guest-1") is None


def test_a_column_moved_to_another_guest_does_not_open(rig: RecordsRig) -> None:
    remembered(rig)
    remembered(rig, "guest-2", device_id="device-2")
    swap = (
        "UPDATE guests SET session_sealed = (SELECT session_sealed FROM guests WHERE guest_id = "
        "'guest-1'), email_sealed = name_sealed WHERE guest_id = 'guest-2'"
    )
    rig.sql.write(lambda connection: connection.execute(text(swap)))
    assert recalled(rig, device_id="device-2") == (Recall.UNREADABLE, None)


def test_a_rotation_seals_the_keys_anew_and_touches_no_data(rig: RecordsRig) -> None:
    for number in range(3):
        remembered(rig, f"guest-{number}", device_id=f"device-{number}")
    before = [rig.rows.find(f"guest-{number}") for number in range(3)]
    rig.ring.rotate()
    rig.clock.advance(timedelta(minutes=2))
    assert rig.keys.reseal() == 3
    assert rig.keys.reseal() == 0
    rig.clock.advance(timedelta(days=100))
    rig.ring.rotate()
    assert [rig.rows.find(f"guest-{number}") for number in range(3)] == before
    assert recalled(rig, device_id="device-1")[0] is Recall.RESUMED


def test_a_letter_is_delivered_once_the_database_is_there_and_twice_is_as_once(
    rig: RecordsRig,
) -> None:
    facts = rig.facts(device_id=DEVICE, browser_secret=BROWSER, genesys_token=TOKEN)
    rig.memory.remember(facts)
    rig.memory.remember(facts)
    assert recalled(rig)[0] is Recall.UNKNOWN
    assert rig.writer.once() == 2
    assert recalled(rig)[0] is Recall.RESUMED
    assert rig.rows.count() == 1
    assert rig.writer.once() == 0


def test_many_at_once_make_one_guest_with_one_key(rig: RecordsRig) -> None:
    together = threading.Barrier(6)
    faults: list[BaseException] = []

    def write(number: int) -> None:
        try:
            together.wait(10)
            remembered(rig, profile={"name": f"name {number}"})
        except BaseException as fault:  # noqa: BLE001 - told below
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not faults
    assert rig.rows.count() == 1
    assert recalled(rig)[1].profile["name"].startswith("name ")


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE guests; --", '" OR 1=1', "Zoë 😀", "%_\\", "\u202emirrored"]
)
def test_whatever_stands_in_a_field_is_a_value_and_nothing_else(
    rig: RecordsRig, value: str
) -> None:
    remembered(rig, "g'1", device_id=value, profile={"email": value, "name": value, "plan": value})
    came, guest = recalled(rig, device_id=value)
    assert came is Recall.RESUMED
    assert guest.profile == {"email": value, "name": value, "plan": value}
    assert rig.rows.count() == 1
    assert rig.rows.of_email(TENANT, rig.memory.email_print(value))[0].guest_id == "g'1"


@pytest.mark.parametrize("value", ["x" * 1_000_000, "nul\x00byte"])
def test_what_no_form_would_ever_hold_is_not_kept_and_the_rest_is(
    rig: RecordsRig, value: str
) -> None:
    remembered(rig, profile={"email": "amira@example.com", "name": value, "plan": value})
    assert recalled(rig)[1].profile == {"email": "amira@example.com"}


def test_nobody_comes_back_to_a_conversation_that_is_over_and_the_profile_stays(
    rig: RecordsRig,
) -> None:
    remembered(rig, "older")
    rig.clock.advance(timedelta(minutes=1))
    remembered(rig, "newer")
    assert rig.memory.write(rig.facts("newer", ended=True))
    assert recalled(rig)[1].guest_id == "older"
    rig.memory.remember(rig.facts("older", ended=True))
    assert rig.writer.once() == 1
    assert recalled(rig) == (Recall.UNKNOWN, None)
    assert rig.memory.profile_of("newer") == {
        "email": "Amira@Example.com",
        "name": "Amira Haddad",
        "plan": "gold",
    }

"""`profile_written` is an event of each change of what is kept, and says nothing of its content."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_page import Jar
from guest_shell import Shell, ShellRig, running_shell

from bff.records.record_house import Records

DEVICE = "device-of-the-family"
PROFILE = {"email": "amira@example.com", "name": "Amira", "unasked": "x"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ShellRig]:
    with running_shell(Shell.FLASK, tmp_path) as running:
        records_of(running).prepare()
        yield running


def records_of(rig: ShellRig) -> Records:
    records = rig.services.records
    assert records is not None
    return records


def visited(rig: ShellRig, jar: Jar, **init: object) -> None:
    with rig.page(jar) as page:
        page.open(deviceId=DEVICE, **init)
    records_of(rig).settle()


def written(rig: ShellRig) -> list[tuple[str, str]]:
    """Return who wrote which fields, oldest first."""
    records = records_of(rig)
    records.settle()
    rows = records.keeper.rows(after=0, limit=999)
    found = [row for row in rows if row.action == "profile_written"]
    assert all(row.guest is not None for row in found)
    assert "amira@example.com" not in str(rows)
    return [(row.actor_kind, json.loads(row.details)["fields"]) for row in found]


def test_it_is_told_once_for_each_change_and_not_for_each_visit(rig: ShellRig) -> None:
    jar = Jar()
    visited(rig, jar, profile=PROFILE)
    assert written(rig) == [("guest", "email, name")], "what is not kept is not written either"
    visited(rig, jar, profile=PROFILE)
    visited(rig, jar)
    assert len(written(rig)) == 1
    visited(rig, jar, profile={**PROFILE, "name": "Amira H."})
    assert written(rig)[1:] == [("guest", "name")]


def test_a_page_without_a_profile_writes_none(rig: ShellRig) -> None:
    visited(rig, Jar())
    visited(rig, Jar(), profile={"unasked": "x"})
    assert written(rig) == []


def test_a_step_up_writes_what_the_sign_in_says_of_the_person(rig: ShellRig) -> None:
    jar = Jar()
    with rig.page(jar) as page:
        created = page.open(deviceId=DEVICE)
    rig.sign_in(jar)
    with rig.page(jar) as again:
        again.open(encryptedSessionId=created["encryptedSessionId"])
        again.until("session_authenticated")
    (told,) = written(rig)
    assert told[0] == "person"
    assert "email" in told[1]

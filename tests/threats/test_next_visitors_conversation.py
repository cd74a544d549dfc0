"""The next visitor of a shared computer looks for the conversation of the one before."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from security_model import Asset, Attacker, threat
from shared_computer import DEVICE, SharedComputer, shared_computer

from bff.records.guest_memory import GuestFacts


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[SharedComputer]:
    with shared_computer(tmp_path) as made:
        yield made


def nobody_comes_back(computer: SharedComputer, secret: str) -> None:
    """Look for it while things wait to be written, and after they were."""
    for _ in range(2):
        computer.looks_for(secret)
        computer.settles()


@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="not come back to one that was ended, though the news of its beginning arrive later",
)
def test_an_ended_conversation_stays_ended_when_its_beginning_arrives_late(
    computer: SharedComputer,
) -> None:
    with computer.page() as page:
        page.say("a secret")
        page.until("message_delivered")
        computer.ends(page)
    sealed = page.created["encryptedSessionId"]
    nobody_comes_back(computer, "a secret")
    assert computer.code_for(sealed) == "session_unknown"


@pytest.mark.parametrize("outbox_full", [False, True])
@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="not come back to one whose end could not be written, nor while it waits",
    noticed="a warning in the service's log; the records and the store are metrics",
)
def test_an_end_that_could_not_be_written_is_an_end(
    computer: SharedComputer, *, outbox_full: bool
) -> None:
    computer.says("a secret")
    computer.settles()
    with computer.page() as page:
        assert page.created["resumed"] is True
        full = computer.nothing_can_wait() if outbox_full else nullcontext()
        with computer.nothing_can_be_written(), full:
            computer.ends(page)
            assert computer.code_for(page.created["encryptedSessionId"]) == "session_unknown"
            computer.looks_for("a secret")
    nobody_comes_back(computer, "a secret")


@pytest.mark.parametrize("outbox_full", [False, True])
@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="not continue a person's, though it could not be recorded whose it had become",
    noticed="the page is told `step_up_failed` with a time to try again, and the log says why",
)
def test_a_step_up_that_was_not_recorded_leaves_the_conversation_to_the_person(
    computer: SharedComputer, *, outbox_full: bool
) -> None:
    created = computer.says("said by nobody")
    computer.settles()
    computer.signs_in("amira")
    sealed = created["encryptedSessionId"]
    full = computer.nothing_can_wait() if outbox_full else nullcontext()
    with computer.nothing_can_be_written(), full:
        with computer.page(encryptedSessionId=sealed) as page:
            if outbox_full:
                failed = page.until("error")
                assert (failed["code"], failed["retryAfter"] > 0) == ("step_up_failed", True)
            else:
                page.until("session_authenticated")
            page.say("a secret of amira")
            page.until("message_delivered")
        computer.walks_away()
        assert computer.code_for(sealed) == "session_unknown"
        computer.looks_for("a secret of amira")
    nobody_comes_back(computer, "a secret of amira")
    computer.signs_in("zoe")
    computer.looks_for("a secret of amira")
    computer.walks_away()
    computer.signs_in("amira")
    with computer.page() as amira:
        assert amira.created["guestId"] == created["guestId"], "it is still the person's own"


@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="not come back to what a person has said who signed out, or walked away",
)
@pytest.mark.parametrize("politely", [True, False])
def test_a_persons_conversation_is_not_the_next_visitors(
    computer: SharedComputer, *, politely: bool
) -> None:
    begun = computer.says("said by nobody")
    computer.settles()
    computer.signs_in("amira")
    with computer.page() as page:
        assert page.created["guestId"] == begun["guestId"], "what was nobody's, she may take"
        page.until("session_authenticated")
        page.say("a secret of amira")
        page.until("message_delivered")
    sealed = page.created["encryptedSessionId"]
    if politely:
        computer.signs_out()
    else:
        computer.walks_away()
    assert computer.code_for(sealed) == "session_unknown"
    assert computer.code_for(begun["encryptedSessionId"]) == "session_unknown", "nor by the old id"
    nobody_comes_back(computer, "a secret of amira")


@threat(
    Attacker.OTHER_USER,
    Asset.CONVERSATION,
    can="not come into another person's with the device, the browser and the sealed id",
    noticed="`guest_refused` in the audit log",
)
def test_another_person_gets_neither_the_conversation_nor_its_id(computer: SharedComputer) -> None:
    computer.signs_in("amira")
    created = computer.says("a secret of amira")
    computer.walks_away()
    computer.signs_in("zoe")
    assert computer.code_for(created["encryptedSessionId"]) == "session_unknown"
    computer.looks_for("a secret of amira")
    assert computer.noted("guest_refused") >= 1


@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="come back to one that nobody ended and nobody signed in to, for 24 hours "
    "(`BFF_GUEST_RECALL_AGE`): a browser cannot tell its users apart",
    noticed="`guest_resumed` in the audit log",
)
def test_a_browser_alone_comes_back_for_a_day_and_a_person_for_longer(
    computer: SharedComputer,
) -> None:
    first = computer.says("said by nobody")
    computer.settles()
    computer.rig.clock.shift += timedelta(hours=23)
    with computer.page() as page:
        assert page.created["guestId"] == first["guestId"]
    computer.settles()
    computer.rig.clock.shift += timedelta(hours=25)
    with computer.page() as page:
        assert page.created["resumed"] is False
    computer.signs_in("amira")
    owned = computer.says("said by amira")
    computer.walks_away()
    computer.settles()
    computer.rig.clock.shift += timedelta(days=20)
    computer.signs_in("amira")
    with computer.page() as page:
        assert page.created["guestId"] == owned["guestId"]


def test_two_tabs_of_one_conversation_become_the_persons_together(
    computer: SharedComputer,
) -> None:
    first = computer.says("said by nobody")
    computer.settles()
    second = computer.says("in another tab")
    assert second["guestId"] == first["guestId"]
    computer.signs_in("amira")
    with computer.page(encryptedSessionId=first["encryptedSessionId"]) as page:
        page.until("session_authenticated")
    computer.walks_away()
    for left_behind in (first, second):
        assert computer.code_for(left_behind["encryptedSessionId"]) == "session_unknown"


def test_an_import_opens_nothing(computer: SharedComputer) -> None:
    facts = GuestFacts(
        guest_id="imported",
        at=computer.rig.clock.now(),
        device_id=DEVICE,
        profile={"email": "a@example.com"},
        imported=True,
    )
    assert computer.records.guests.memory.write(facts)
    nobody_comes_back(computer, "a@example.com")

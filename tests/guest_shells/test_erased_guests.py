"""A guest is erased while a chat is open: it ends at once, everywhere, and nobody else's does."""

from datetime import timedelta
from typing import Any

from erasure_rig import ASKER
from guest_page import Jar
from guest_shell import ShellRig

from bff.records.erasure import Erased, Erasure


def erasure_of(rig: ShellRig) -> Erasure:
    records = rig.services.records
    assert records is not None
    records.database.upgrade()
    return records.guests.erasure


def refused(rig: ShellRig, jar: Jar, created: dict[str, Any]) -> str:
    with rig.page(jar) as again:
        again.send(again.keys.init(encryptedSessionId=created["encryptedSessionId"]))
        return str(again.next()["code"])


def test_every_page_of_the_guest_is_told_and_let_go_within_a_second(rig: ShellRig) -> None:
    jar, erasure = Jar(), erasure_of(rig)
    with rig.page(jar) as page, rig.page(jar) as second, rig.page() as neighbour:
        neighbour.open()
        created = page.open()
        second.open(encryptedSessionId=created["encryptedSessionId"])
        page.say("remember me")
        page.until("message_delivered")
        before = rig.clock.now()
        assert erasure.ask(created["guestId"], ASKER) is Erased.DONE
        for told in (page, second):
            assert told.until("session_ended")["reason"] == "revoked"
            assert told.until_closed() == (1000, "revoked")
        assert rig.clock.now() - before < timedelta(seconds=1)
        neighbour.say("not disturbed")
        neighbour.until("message_delivered")
    assert refused(rig, jar, created) == "session_unknown"


def test_the_tokens_of_the_guests_person_go_though_no_page_is_open(rig: ShellRig) -> None:
    jar, erasure = Jar(), erasure_of(rig)
    rig.sign_in(jar)
    with rig.page(jar) as page:
        created = page.open()
        page.say("it is me")
        page.until("message_delivered")
    assert rig.stage.genesys.desk.counters.revocations == 0
    assert erasure.ask(created["guestId"], ASKER) is Erased.DONE
    rig.until(lambda: rig.stage.genesys.desk.counters.revocations == 1, "the JWT lives on")
    assert refused(rig, jar, created) == "session_unknown"

"""A conversation is ended in one tab, and goes on under the id that another tab left behind."""

from pathlib import Path

import pytest
from security_model import Asset, Attacker, threat
from shared_computer import shared_computer


@threat(
    Attacker.NEXT_USER,
    Asset.CONVERSATION,
    can="not continue a conversation by the id of a second tab once it was ended in the first",
    noticed="the other tab is told `session_ended` at once",
)
@pytest.mark.parametrize("same_session", [True, False])
def test_an_end_in_one_tab_is_one_for_both_ids(tmp_path: Path, *, same_session: bool) -> None:
    with shared_computer(tmp_path) as computer:
        first = computer.says("a secret")
        computer.settles()
        left_behind = {"encryptedSessionId": first["encryptedSessionId"]} if same_session else {}
        with computer.page(**left_behind) as one, computer.page() as other:
            assert one.created["guestId"] == other.created["guestId"] == first["guestId"]
            for tab in (one, other):
                tab.say("still here")
                tab.until("message_delivered")
            computer.ends(one)
            computer.rig.until(lambda: other.closed_with[0] is not None, "the other tab lives on")
            # Genesys may close the second connection before our own news are here.
            assert other.closed_with in {(1000, "ended"), (4009, "displaced")}
        for created in (first, one.created, other.created):
            assert computer.code_for(created["encryptedSessionId"]) == "session_unknown"
        computer.looks_for("a secret")
        computer.settles()
        computer.looks_for("a secret")
        computer.rig.until(lambda: computer.noted("guest_ended") >= 3, "the ends are not noted")
        assert computer.noted("guest_ended") == 3, "one for each conversation"

"""What docs/guest-socket.md says of codes, reasons and limits is what the code does."""

import re
from datetime import timedelta
from pathlib import Path

from bff.guests.conversation_stages import ConversationPolicy
from bff.guests.frame_errors import SENTENCES, FrameCode, GuestEnd
from bff.guests.frames import MAX_FRAME_BYTES, ServerFrame
from bff.guests.guest_messages import MAX_ATTRIBUTES_BYTES, MAX_TEXT_BYTES
from bff.guests.session_pace import MESSAGES_A_MINUTE, MESSAGES_A_SECOND, TYPING_EVERY

PAGE = (Path(__file__).parent.parent.parent / "docs" / "guest-socket.md").read_text("utf-8")


def table_of(name: str) -> list[list[str]]:
    """Return the cells of each row between the marks `<!-- name -->` and `<!-- /name -->`."""
    inside = PAGE.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    rows = inside.strip().splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_each_error_code_is_told_with_its_words_its_cause_and_its_fix() -> None:
    rows = table_of("frame codes")

    assert [row[:2] for row in rows] == [[f"`{code}`", SENTENCES[code]] for code in FrameCode]
    assert all(len(row) == 4 and all(row) for row in rows)


def test_each_reason_is_told() -> None:
    rows = table_of("end reasons")

    assert [row[0] for row in rows] == [f"`{reason}`" for reason in GuestEnd]


def test_each_frame_of_the_server_is_told() -> None:
    kinds = {kind.__struct_config__.tag for kind in ServerFrame.__subclasses__()}
    section = PAGE.partition("\n## Frames of the server")[2].partition("\n## ")[0]
    told = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }

    assert told == kinds


def test_the_limits_are_told() -> None:
    policy = ConversationPolicy()

    assert table_of("frame limits") == [
        ["frame", f"{MAX_FRAME_BYTES} bytes"],
        ["text", f"{MAX_TEXT_BYTES} bytes"],
        ["custom attributes", f"{MAX_ATTRIBUTES_BYTES} bytes"],
        ["messages", f"{MESSAGES_A_SECOND} in any second, {MESSAGES_A_MINUTE} in any minute"],
        ["typing", f"1 in {TYPING_EVERY // timedelta(seconds=1)} seconds"],
        ["messages without an echo", str(policy.max_in_flight)],
        ["wrong signatures", f"{policy.faults.forgeries} on a connection"],
        ["faults of any kind", f"{policy.faults.all} on a connection"],
    ]

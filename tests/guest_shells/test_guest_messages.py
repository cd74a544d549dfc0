"""What travels on the socket, and what never gets through: over real connections."""

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from frame_page import text_message, typing
from guest_page import GuestPage, Jar
from guest_shell import Shell, ShellRig, running_shell
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from bff.guests.guest_house import SocketRules
from bff.signin.records import EndReason, SessionKey
from bff.simulator.genesys_faults import Door, Fault

SHORT = SocketRules(
    ping_every=timedelta(milliseconds=200),
    pong_patience=timedelta(milliseconds=300),
    close_patience=timedelta(milliseconds=300),
    unsent_patience=timedelta(seconds=1),
)


def raw(page: GuestPage, *frames: Frame, cut_at: int | None = None) -> None:
    """Put bytes on the wire behind the client's back."""
    data = b"".join(frame.serialize(mask=True) for frame in frames)
    page.socket.socket.sendall(data[:cut_at])


def error_of(page: GuestPage) -> str:
    frame = page.until("error")
    return str(frame["code"])


def test_ten_messages_arrive_in_their_order_and_each_is_told_delivered(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        for number in range(5):
            page.say(f"line {number}")
        seen = [page.until("message_delivered")["seq"] for _ in range(5)]
    assert seen == [1, 2, 3, 4, 5]
    assert rig.heard == [f"line {number}" for number in range(5)]


def test_more_than_genesys_takes_in_a_second_is_all_delivered(rig: ShellRig) -> None:
    with rig.page() as page:
        created = page.open()
        page.say("hello")
        page.until("message_delivered", seq=1)
        with rig.page(page.jar) as tab:
            tab.open(encryptedSessionId=created["encryptedSessionId"])
            pages = {"here": page, "there": tab}
            rig.clock.shift += timedelta(seconds=2)
            # Each keeps its own pace; together they are too fast for a session.
            with rig.clock.standing():
                for number in range(5):
                    for name, one in pages.items():
                        one.say(f"{name} {number}")
                for one in pages.values():
                    one.until("message_accepted", seq=one.keys.seq)
            for one in pages.values():
                one.until("message_delivered", seq=one.keys.seq)
            told = [frame for one in pages.values() for frame in one.seen]
    assert "error" not in [frame["type"] for frame in told]
    for name in pages:
        heard = [text for text in rig.heard if text.startswith(name)]
        assert heard == [f"{name} {number}" for number in range(5)]


def test_what_the_agent_says_comes_as_an_event(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        page.say("hello")
        page.until("message_delivered")
        rig.agent_says("a word from Robin")
        event = page.until_text("a word from Robin")
    assert event["type"] == "event"
    assert event["body"]["direction"] == "Outbound"


@pytest.mark.parametrize("what", ["signature", "payload", "session", "replay", "gap"])
def test_a_forged_replayed_or_foreign_frame_never_reaches_genesys(rig: ShellRig, what: str) -> None:
    with rig.page() as page:
        page.open()
        page.say("first")
        page.until("message_accepted")
        good = json.loads(page.keys.message(text_message("forged")))
        match what:
            case "signature":
                good["signature"] = good["signature"][::-1]
            case "payload":
                good["payload"] = text_message("forged, and changed")
            case "session":
                good["sessionId"] = good["sessionId"][::-1]
            case "replay":
                good = json.loads(page.keys.message(text_message("forged"), seq=1))
            case _:
                good = json.loads(page.keys.message(text_message("forged"), seq=9))
        page.send(json.dumps(good).encode())
        code = error_of(page)
        page.keys.seq = 1
        page.say("last")
        page.until("message_delivered", seq=2)
    wanted = {
        "signature": "signature_wrong",
        "payload": "signature_wrong",
        "session": "session_foreign",
        "replay": "sequence_replayed",
        "gap": "sequence_gap",
    }
    assert code == wanted[what]
    assert rig.heard == ["first", "last"]


def test_a_frame_in_many_pieces_is_one_frame(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        frame = page.keys.message(text_message("in pieces"))
        pieces = [frame[i : i + 7] for i in range(0, len(frame), 7)]
        kinds = [Opcode.TEXT] + [Opcode.CONT] * (len(pieces) - 1)
        for number, (kind, piece) in enumerate(zip(kinds, pieces, strict=True)):
            raw(page, Frame(kind, piece, fin=number == len(pieces) - 1))
            if number == 3:
                raw(page, Frame(Opcode.PING, b"in between"))
        page.until("message_delivered", seq=1)
    assert rig.heard == ["in pieces"]


def test_a_binary_message_is_refused_and_the_next_text_goes_on(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        raw(page, Frame(Opcode.BINARY, b"\x00\x01"))
        assert error_of(page) == "frame_not_text"
        page.say("still here")
        page.until("message_delivered", seq=1)


def test_bytes_that_are_no_utf8_are_refused_by_name(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        raw(page, Frame(Opcode.TEXT, b'{"type":"message","payload":"\xff\xfe"}'))
        assert error_of(page) == "frame_not_utf8"
        page.say("still here")
        page.until("message_delivered", seq=1)


def test_a_frame_of_a_hundred_megabytes_is_refused_at_its_first_bytes(rig: ShellRig) -> None:
    with rig.page() as page, rig.page() as neighbour:
        neighbour.open()
        page.open()
        # Only the head is sent: 100 MB are announced.
        head = b"\x81\xff" + (100 * 1024 * 1024).to_bytes(8, "big") + b"mask"
        page.socket.socket.sendall(head + b"x" * 1000)
        assert page.until_closed()[0] == 1009
        neighbour.say("not disturbed")
        neighbour.until("message_delivered", seq=1)


def test_small_pieces_are_added_up_before_they_are_too_much(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        piece = b"x" * 16_000
        raw(page, Frame(Opcode.TEXT, piece, fin=False))
        with suppress(OSError):  # the last ones may come too late to be sent
            for _ in range(5):
                raw(page, Frame(Opcode.CONT, piece, fin=False))
        assert page.until_closed()[0] == 1009


def test_a_frame_that_breaks_the_protocol_is_answered_with_1002(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        page.socket.socket.sendall(b"\xff\x80mask")  # reserved bits are set
        assert page.until_closed()[0] == 1002


def test_twenty_wrong_signatures_close_the_connection_and_the_session_lives(
    rig: ShellRig,
) -> None:
    with rig.page() as page, rig.page() as neighbour:
        neighbour.open()
        created = page.open()
        with suppress(ConnectionClosed):  # the last ones may come too late to be sent
            for _ in range(25):
                page.send(page.keys.message(seq=1, signature="A" * 43))
        assert page.until_closed() == (1008, "too_many_faults")
        codes = [frame.get("code") for frame in page.seen]
        assert codes.count("signature_wrong") == 20
        neighbour.say("not disturbed")
        neighbour.until("message_delivered", seq=1)
    with rig.page(page.jar) as again:
        assert again.open(encryptedSessionId=created["encryptedSessionId"])["resumed"]
    assert rig.heard == ["not disturbed"]


def test_too_fast_is_told_with_the_time_to_wait_and_the_same_frame_goes_then(
    rig: ShellRig,
) -> None:
    with rig.page() as page:
        page.open()
        # However busy the machine is, the six are said within one second.
        with rig.clock.standing():
            for number in range(6):
                page.say(f"quick {number}")
            refused = page.until("error")
        assert (refused["code"], refused["seq"]) == ("rate_limited", 6)
        assert 0 < refused["retryAfter"] <= 1
        rig.clock.shift += timedelta(seconds=refused["retryAfter"])
        page.send(page.keys.message(text_message("quick 5"), seq=6))
        page.until("message_accepted", seq=6)


def test_typing_is_accepted_and_not_echoed(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        page.send(page.keys.message(typing()))
        page.until("message_accepted", seq=1)
        page.say("done typing")
        assert page.until("message_delivered")["seq"] == 2


def test_the_end_is_told_and_its_session_is_gone_here_and_there(rig: ShellRig) -> None:
    with rig.page() as page:
        created = page.open()
        page.say("goodbye")
        page.until("message_delivered")
        page.send(page.keys.end())
        assert page.until("session_ended")["reason"] == "ended"
        assert page.until_closed() == (1000, "ended")
    with rig.page(page.jar) as again:
        again.send(again.keys.init(encryptedSessionId=created["encryptedSessionId"]))
        assert again.next()["code"] == "session_unknown"
    rig.until(lambda: _all_closed(rig), "Genesys still has the session open")


@pytest.mark.parametrize("who", ["page", "sign-out", "operator", "other tab"])
def test_an_end_right_behind_messages_comes_after_their_fates(rig: ShellRig, who: str) -> None:
    jar = Jar()
    key = rig.sign_in(jar)
    with rig.page(jar) as page, rig.page(jar) as tab:
        created = page.open()
        tab.open(encryptedSessionId=created["encryptedSessionId"])
        page.say("hello")
        page.until("message_delivered", seq=1)
        for number in range(4):
            page.say(f"line {number}")
        match who:
            case "page":
                page.send(page.keys.end())
            case "sign-out":
                page.until("message_accepted", seq=5)
                rig.services.sign_out.revoke(SessionKey(key), EndReason.SIGNED_OUT)
            case "operator":
                page.until("message_accepted", seq=5)
                rig.services.sign_out.revoke(SessionKey(key))
            case _:
                page.until("message_accepted", seq=5)
                tab.send(tab.keys.end())
        code, _ = page.until_closed()
        told = [(frame["type"], frame.get("seq")) for frame in page.seen]
    fates = [seq for kind, seq in told if kind in {"message_delivered", "error"}]
    assert fates == [1, 2, 3, 4, 5]
    # What Genesys says of it may come before our own news of another tab.
    assert code == 1000 or (code, who) == (4009, "other tab")
    if code == 1000:
        assert told[-1] == ("session_ended", None)
    said = ["hello", *(f"line {number}" for number in range(4))]
    assert rig.heard == said[: len(rig.heard)]
    delivered = [seq for kind, seq in told if kind == "message_delivered"]
    if who == "page":
        assert delivered == [1, 2, 3, 4, 5]
    # At a sign-out Genesys is told as well, and may be quicker than the last messages.
    refused = {f["seq"] for f in page.seen if f.get("code") == "message_refused"}
    assert delivered == list(range(1, len(delivered) + 1))
    assert refused.isdisjoint(range(1, len(rig.heard) + 1))


def _all_closed(rig: ShellRig) -> bool:
    genesys = rig.stage.genesys
    with genesys.lock:
        return all(not session.connections for session in genesys.messaging.book.all())


def test_a_page_that_says_nothing_is_let_go(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, plan={"init_patience": timedelta(seconds=1)}) as rig:
        page = rig.page()
        assert page.until_closed() == (1008, "init_expected")
        page.leave()


def test_a_page_that_does_not_answer_pings_is_cut(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, rules=SHORT) as rig, rig.page() as page:
        page.open()
        # From now on the client reads, and answers nothing.
        _deaf(page)
        assert page.until_closed()[0] in {None, 1006}


def _deaf(page: GuestPage) -> None:
    """Let the client's library swallow pings."""
    protocol: Any = page.socket.protocol
    answer = protocol.send_frame
    protocol.send_frame = lambda frame: None if frame.opcode is Opcode.PONG else answer(frame)


def test_a_frame_that_trickles_in_is_no_sign_of_life(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, rules=SHORT) as rig, rig.page() as page:
        page.open()
        frame = Frame(Opcode.TEXT, b"x" * 1000).serialize(mask=True)
        sent = 0
        try:
            while sent < 200:
                page.socket.socket.sendall(frame[sent : sent + 1])
                sent += 1
                page.socket.recv_events_thread.join(0.02)
                if not page.socket.recv_events_thread.is_alive():
                    break
        except OSError:
            pass
        assert sent < 200, "it was borne for as long as it liked"
        assert page.until_closed()[0] in {None, 1006}


def test_genesys_being_slow_is_no_loss(rig: ShellRig) -> None:
    slow = Fault(delay=timedelta(seconds=1))
    rig.stage.genesys.faults.order(Door.CONFIGURE, slow)
    with rig.page() as page:
        page.open()
        page.say("before Genesys is there")
        page.until("message_accepted", seq=1)
        page.until("message_delivered", seq=1)


def test_a_cut_at_genesys_is_a_pause_and_not_a_loss(rig: ShellRig) -> None:
    with rig.page() as page:
        page.open()
        page.say("before the cut")
        page.until("message_delivered", seq=1)
        rig.cut_genesys()
        page.until("session_paused")
        page.say("during the cut")
        page.until("message_accepted", seq=2)
        page.until("session_resumed")
        page.until("message_delivered", seq=2)
    assert rig.heard == ["before the cut", "during the cut"]

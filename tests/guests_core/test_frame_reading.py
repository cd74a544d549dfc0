"""Frames that are none: each is refused with its code, named by its `seq`, and raises nothing."""

import json
from typing import Any

import pytest
from frame_page import FramePage, text_message, typing
from hypothesis import given
from hypothesis import strategies as st

from bff.guests.frame_errors import FrameCode, FrameRefusedError
from bff.guests.frames import MAX_FRAME_BYTES, End, Init, Message, SessionCreated, parse
from bff.guests.guest_messages import parsed_message

MESSAGE = {"type": "message", "sessionId": "s", "seq": 1, "payload": "{}", "signature": "x"}


def spelled(**changed: Any) -> bytes:
    frame = {**MESSAGE, **changed}
    return json.dumps({key: value for key, value in frame.items() if value is not ...}).encode()


def refusal(raw: bytes) -> FrameRefusedError:
    with pytest.raises(FrameRefusedError) as told:
        parse(raw)
    return told.value


def test_a_message_is_read() -> None:
    assert parse(spelled()) == Message(session_id="s", seq=1, payload="{}", signature="x")


def test_an_end_needs_no_payload() -> None:
    raw = spelled(type="end", payload=...)

    assert parse(raw) == End(session_id="s", seq=1, payload="", signature="x")


def test_an_init_may_name_a_device_a_profile_and_a_session() -> None:
    raw = FramePage().init(deviceId="d", profile={"plan": "gold"}, encryptedSessionId="e")

    read = parse(raw)

    assert isinstance(read, Init)
    assert read.payload.device_id == "d"
    assert read.payload.profile == {"plan": "gold"}
    assert read.payload.encrypted_session_id == "e"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_whatever_a_socket_hands_over_is_read(kind: Any) -> None:
    assert parse(kind(spelled())).__class__ is Message


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", FrameCode.FRAME_MALFORMED),
        (b" ", FrameCode.FRAME_MALFORMED),
        (b"hello", FrameCode.FRAME_MALFORMED),
        (b"null", FrameCode.FRAME_MALFORMED),
        (b"[]", FrameCode.FRAME_MALFORMED),
        (b'"message"', FrameCode.FRAME_MALFORMED),
        (spelled()[:-1], FrameCode.FRAME_MALFORMED),
        (spelled() + b"x", FrameCode.FRAME_MALFORMED),
        (spelled() + spelled(), FrameCode.FRAME_MALFORMED),
        (b"\xef\xbb\xbf" + spelled(), FrameCode.FRAME_MALFORMED),
        (b"[" * 60_000, FrameCode.FRAME_MALFORMED),
        (b'{"type":' * 7_000, FrameCode.FRAME_MALFORMED),
        (b'{"type":"init","payload":{"profile":' + b"[" * 60_000, FrameCode.FRAME_MALFORMED),
        (spelled(sessionId="\ud800"), FrameCode.FRAME_MALFORMED),
        (spelled(sessionId="\udc00\ud800"), FrameCode.FRAME_MALFORMED),
        (b"\xff\xfe", FrameCode.FRAME_NOT_UTF8),
        (spelled().replace(b'"s"', b'"\xc3\x28"'), FrameCode.FRAME_NOT_UTF8),
        (spelled().replace(b'"s"', b'"\xed\xa0\x80"'), FrameCode.FRAME_NOT_UTF8),
        (spelled().replace(b"payload", b"p\xffyload"), FrameCode.FRAME_NOT_UTF8),
        (b"{}", FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(type=...), FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(type="Message"), FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(type=""), FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(type=7), FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(type=["message"]), FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(type={"message": 1}), FrameCode.FRAME_TYPE_UNKNOWN),
        (spelled(sessionId=None), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(sessionId=1), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(sessionId=...), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(signature=...), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(signature=["x"]), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(payload={"type": "Text"}), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(payload=...), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq="1"), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq=1.0), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq=True), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq=0), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq=-1), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq=2**53), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(seq=10**300), FrameCode.FRAME_FIELDS_WRONG),
        (spelled(more=1), FrameCode.FRAME_FIELDS_WRONG),
        (b'{"type":"init"}', FrameCode.FRAME_FIELDS_WRONG),
        (b'{"type":"init","payload":null}', FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(deviceId=""), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(deviceId="d" * 257), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(more=1), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(profile={"n": 1}), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(profile={"n": "v" * 257}), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(profile={"n" * 65: ""}), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(profile={str(n): "" for n in range(33)}), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(encryptedSessionId=""), FrameCode.FRAME_FIELDS_WRONG),
        (FramePage().init(encryptedSessionId="e" * 513), FrameCode.FRAME_FIELDS_WRONG),
    ],
)
def test_what_is_no_frame_is_refused_with_its_code(raw: bytes, code: FrameCode) -> None:
    assert refusal(raw).code is code


def test_the_limit_counts_bytes_and_comes_before_the_reading() -> None:
    """The published middleware had no limit; its server's counted characters."""
    half = "\u00fc" * (MAX_FRAME_BYTES // 2)  # as many characters as half the limit, and more bytes

    assert refusal(json.dumps({"x": half}, ensure_ascii=False).encode()).code is (
        FrameCode.FRAME_TOO_LARGE
    )
    assert refusal(b"[" * (MAX_FRAME_BYTES + 1)).code is FrameCode.FRAME_TOO_LARGE
    assert refusal(b"[" * MAX_FRAME_BYTES).code is FrameCode.FRAME_MALFORMED


def test_a_frame_of_exactly_the_limit_is_read() -> None:
    empty = len(spelled(payload=""))

    read = parse(spelled(payload="p" * (MAX_FRAME_BYTES - empty)))

    assert isinstance(read, Message)


@pytest.mark.parametrize("raw", [spelled(signature=..., seq=41), spelled(type="x", seq=41)])
def test_a_refused_frame_is_named_by_its_number_if_it_says_one(raw: bytes) -> None:
    assert refusal(raw).seq == 41


@pytest.mark.parametrize("seq", [0, -1, True, 1.5, "1", None, [1], 2**60])
def test_what_is_no_number_names_nothing(seq: Any) -> None:
    assert refusal(spelled(type="x", seq=seq)).seq is None


@given(raw=st.binary(max_size=400))
def test_junk_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    assert refusal(raw).code in FrameCode


@given(cut=st.integers(min_value=0, max_value=len(spelled()) - 1))
def test_a_cut_frame_is_refused(cut: int) -> None:
    assert refusal(spelled()[:cut]).code is FrameCode.FRAME_MALFORMED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(payload=JSON)
def test_json_that_is_no_message_is_refused_and_nothing_else_happens(payload: Any) -> None:
    with pytest.raises(FrameRefusedError):
        parsed_message(json.dumps(payload).encode())


def test_a_name_that_comes_twice_cannot_mean_two_things() -> None:
    """Whatever the next reader makes of a double name, it gets what we have checked."""
    text = '{"type":"Text","text":"%s","text":"short"}' % ("x" * 5000)

    assert parsed_message(text.encode()).spell() == b'{"type":"Text","text":"short"}'


BUTTON_PRESSED = (
    '{"type":"Structured","text":"Yes","content":[{"contentType":"ButtonResponse",'
    '"buttonResponse":{"type":"QuickReply","text":"Yes","payload":"yes"}}]}'
)


@pytest.mark.parametrize(
    "taken",
    [
        text_message(),
        text_message("ü ☃ 😀"),
        text_message("x" * 4096),
        text_message("\u00fc" * 2048),
        text_message("\n" * 4095 + "x"),
        text_message(metadata={"id": "m-1"}),
        text_message(channel={"metadata": {"customAttributes": {"cart": "3"}}}),
        typing(),
        '{"type":"Event","events":[{"eventType":"Presence","presence":{"type":"Join"}}]}',
        '{"type":"Event","events":[{"eventType":"Presence","presence":{"type":"Clear"}}]}',
        BUTTON_PRESSED,
        '{"content":[{"contentType":"Attachment","attachment":{"id":"a"}}]}',
        '{"type":"Text","content":[{"contentType":"Attachment","attachment":{"id":"a"}}]}',
    ],
)
def test_what_genesys_takes_goes_on_with_the_same_meaning(taken: str) -> None:
    assert json.loads(parsed_message(taken.encode()).spell()) == json.loads(taken)


EVENT = {"eventType": "Typing", "typing": {"type": "On"}}


@pytest.mark.parametrize(
    "refused",
    [
        "",
        "null",
        "[]",
        '"hello"',
        "{}",
        '{"type":"Text"}',
        text_message(""),
        text_message(" \n\t"),
        text_message(None),  # type: ignore[arg-type]  # a page can send anything
        text_message(7),  # type: ignore[arg-type]  # the same
        '{"type":"Text","text":"\\ud800"}',
        text_message(direction="Outbound"),
        text_message(token="someone else's"),
        text_message(events=[EVENT]),
        text_message(metadata={"id": 7}),
        text_message(channel={"time": "now"}),
        text_message(channel={"metadata": {"customAttributes": ["a"]}}),
        text_message(content=[]),
        text_message(content=["text"]),
        '{"type":"Video","text":"x"}',
        '{"type":"Event"}',
        '{"type":"Event","events":[]}',
        json.dumps({"type": "Event", "events": [EVENT, EVENT]}),
        json.dumps({"type": "Event", "events": [EVENT], "text": "hello"}),
        '{"type":"Event","events":[{"eventType":"Presence","typing":{"type":"On"}}]}',
        '{"type":"Event","events":[{"eventType":"Typing"}]}',
        '{"type":"Event","events":[{"eventType":"Presence","presence":{"type":"SignIn"}}]}',
        '{"type":"Structured","text":"Yes"}',
        '{"events":[{"eventType":"Typing","typing":{"type":"On"}}]}',
        '{"type":"Text","text":"x","content":[' + "[" * 60_000,
        text_message() + "}",
        text_message()[:-1],
    ],
)
def test_what_genesys_does_not_know_is_refused(refused: str) -> None:
    with pytest.raises(FrameRefusedError) as told:
        parsed_message(refused.encode())

    assert told.value.code is FrameCode.MESSAGE_MALFORMED


@pytest.mark.parametrize("text", ["x" * 4097, "\u00fc" * 2049, "😀" * 1025, "\n" * 4096 + "x"])
def test_a_text_is_limited_in_bytes(text: str) -> None:
    with pytest.raises(FrameRefusedError) as told:
        parsed_message(text_message(text).encode())

    assert told.value.code is FrameCode.TEXT_TOO_LONG


def attributes_of(size: int) -> str:
    """Return a message whose attributes are of that many bytes as JSON."""
    attributes = {"a": "x" * (size - len('{"a":""}'))}
    return text_message(channel={"metadata": {"customAttributes": attributes}})


def test_attributes_are_limited_in_bytes_as_json() -> None:
    parsed_message(attributes_of(2048).encode())

    with pytest.raises(FrameRefusedError) as told:
        parsed_message(attributes_of(2049).encode())

    assert told.value.code is FrameCode.ATTRIBUTES_TOO_LARGE


def test_nothing_that_is_read_shows_itself_in_a_log() -> None:
    init = parse(FramePage().init(profile={"email": "amira@example.com"}))
    message = parse(spelled(payload=text_message("my number is 42"), signature="sig-1"))
    created = SessionCreated(
        guest_id="g",
        encrypted_session_id="sealed-1",
        connection="c",
        expires_at="soon",
        resumed=False,
        token="token-1",
    )

    shown = f"{init!r} {message!r} {created!r} {parsed_message(text_message('42').encode())!r}"

    for secret in ("amira", "42", "sig-1", "sealed-1", "token-1"):
        assert secret not in shown

"""Signatures of frames: the bytes to the letter, the key to the bit, every forgery refused.

The published middleware compared the wrong way round (good frames refused, forged ones taken),
threw on unequal length, and signed neither the body nor its place. Each has its test here.
"""

import base64
import json
from typing import Any

import pytest
from frame_page import FramePage, repadded, unpadded
from frame_vectors import FILE, SALT, SERVER_SCALAR, made, spelled
from hypothesis import given
from hypothesis import strategies as st
from listed_entropy import ListedEntropy

from bff.adapters.system import SystemEntropy
from bff.crypto.frame_signing import ForgedFrameError, FrameSigner
from bff.guests.frame_errors import FrameCode, FrameRefusedError
from bff.guests.frame_keys import Direction, PageFrames, PageKeys, frame_key, parsed_point
from bff.guests.frames import End, InitPayload, Message

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
VECTORS: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1


def signer(key: bytes = KEY, **about: Any) -> FrameSigner:
    chosen = {"purpose": b"message", "session_id": "session", "connection": "connection", **about}
    return FrameSigner(key, **chosen)


GOOD = signer().sign(1, b"body").decode()


def test_a_good_signature_is_taken() -> None:
    signer().check(GOOD, seq=1, payload=b"body")


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param("", id="empty"),
        pytest.param(GOOD[:-1], id="one short"),
        pytest.param(GOOD[:8], id="eight characters"),
        pytest.param(GOOD + "A", id="one long"),
        pytest.param(GOOD + "=", id="padded"),
        pytest.param(GOOD * 1000, id="very long"),
        pytest.param("A" * 43, id="of the right length"),
        pytest.param(GOOD[::-1], id="backwards"),
        pytest.param(" " + GOOD[1:], id="a blank"),
        pytest.param("ü" * 43, id="not ASCII"),
        pytest.param(repadded(GOOD).hex(), id="in hexadecimal"),
        pytest.param(signer(OTHER_KEY).sign(1, b"body").decode(), id="of another key"),
        pytest.param(signer(session_id="other").sign(1, b"body").decode(), id="another session"),
        pytest.param(signer(connection="other").sign(1, b"body").decode(), id="another connection"),
        pytest.param(signer(purpose=b"end").sign(1, b"body").decode(), id="another purpose"),
        pytest.param(signer().sign(2, b"body").decode(), id="another place"),
        pytest.param(signer().sign(1, b"Body").decode(), id="another body"),
    ],
)
def test_every_other_one_is_refused_and_nothing_else_is_raised(forged: str) -> None:
    with pytest.raises(ForgedFrameError):
        signer().check(forged, seq=1, payload=b"body")


def test_base64_that_means_the_same_bytes_is_refused() -> None:
    # 43 characters carry 258 bits: the last one has two to spare.
    last = BASE64URL.index(GOOD[-1])
    twin = GOOD[:-1] + BASE64URL[last + 1]

    assert repadded(twin) == repadded(GOOD)
    with pytest.raises(ForgedFrameError):
        signer().check(twin, seq=1, payload=b"body")


@given(where=st.integers(min_value=0, max_value=42), other=st.characters())
def test_no_other_character_anywhere_is_taken(where: int, other: str) -> None:
    forged = GOOD[:where] + other + GOOD[where + 1 :]

    if forged == GOOD:
        signer().check(forged, seq=1, payload=b"body")
        return
    with pytest.raises(ForgedFrameError):
        signer().check(forged, seq=1, payload=b"body")


def test_what_moves_from_one_part_to_the_next_is_another_frame() -> None:
    here = signer(session_id="ab", connection="c").sign(1, b"body")
    there = signer(session_id="a", connection="bc").sign(1, b"body")

    assert here != there


def test_signing_twice_gives_the_same() -> None:
    one = signer()

    assert one.sign(1, b"body") == one.sign(1, b"body")


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_makes_no_signer(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signer(bytes(length))


# Known answers, made by code that shares nothing with ours


def test_the_vectors_are_what_the_independent_code_makes() -> None:
    assert FILE.read_text("utf-8") == spelled(), "run tests/rigs/frame_vectors.py"


@pytest.mark.parametrize("frame", made()["frames"], ids=lambda frame: f"{frame['seq']}")
def test_ours_signs_as_the_vectors_say(frame: dict[str, Any]) -> None:
    ours = FrameSigner(
        repadded(VECTORS["keys"]["c2s"]),
        purpose=frame["purpose"].encode(),
        session_id=VECTORS["sessionId"],
        connection=VECTORS["connection"],
    )

    assert ours.sign(frame["seq"], frame["payload"].encode()).decode() == frame["signature"]


@pytest.mark.parametrize("direction", list(Direction))
def test_ours_derives_the_keys_of_the_vectors(direction: Direction) -> None:
    key = frame_key(
        repadded(VECTORS["sharedSecret"]),
        salt=repadded(VECTORS["salt"]),
        direction=direction,
        session_id=VECTORS["sessionId"],
        connection=VECTORS["connection"],
    )

    assert unpadded(key) == VECTORS["keys"][direction]


def verifier_of_the_vectors() -> Any:
    """Let our half agree with the page of the vectors, with the randomness of the vectors."""
    entropy = ListedEntropy((SERVER_SCALAR - 1).to_bytes(48, "big"), SALT)
    half = PageKeys(entropy).begin(InitPayload(public_key=VECTORS["page"]["publicKey"]))
    return half.agree(session_id=VECTORS["sessionId"], connection=VECTORS["connection"])


def test_our_half_agrees_with_the_page_of_the_vectors() -> None:
    agreed = verifier_of_the_vectors()

    assert agreed.public_key == VECTORS["server"]["publicKey"]
    assert agreed.salt == VECTORS["salt"]
    for frame in VECTORS["frames"]:
        kind = Message if frame["purpose"] == "message" else End
        seq, payload = frame["seq"], frame["payload"]
        sent = kind(session_id="", seq=seq, payload=payload, signature=frame["signature"])
        agreed.verifier.check(sent, payload.encode())


def test_a_frame_signed_with_the_key_of_the_other_direction_is_refused() -> None:
    """Reflection: what one end signed must never pass as the other's."""
    agreed = verifier_of_the_vectors()
    wrong = FramePage(key=repadded(VECTORS["keys"]["s2c"]))
    wrong.session_id, wrong.connection = VECTORS["sessionId"], VECTORS["connection"]
    sent = Message(session_id="", seq=1, payload="{}", signature=wrong.sign(1, "{}"))

    with pytest.raises(ForgedFrameError):
        agreed.verifier.check(sent, b"{}")


@pytest.mark.parametrize("kinds", [(Message, End), (End, Message)])
def test_a_message_is_no_end_and_an_end_is_no_message(kinds: tuple[Any, Any]) -> None:
    signed_as, sent_as = kinds
    purpose = b"message" if signed_as is Message else b"end"
    signature = signer(purpose=purpose).sign(1, b"").decode()
    frames = PageFrames(KEY, session_id="session", connection="connection")

    frames.check(signed_as(session_id="", seq=1, payload="", signature=signature), b"")
    with pytest.raises(ForgedFrameError):
        frames.check(sent_as(session_id="", seq=1, payload="", signature=signature), b"")


# Public keys that are none


def point(x: int, y: int, first: int = 4) -> str:
    return unpadded(bytes([first]) + x.to_bytes(32, "big") + y.to_bytes(32, "big"))


GOOD_POINT = repadded(VECTORS["page"]["publicKey"])
# 87 characters carry 522 bits: the last one has two to spare.
TWIN = VECTORS["page"]["publicKey"]
TWIN = TWIN[:-1] + BASE64URL[BASE64URL.index(TWIN[-1]) + 1]
X, Y = int.from_bytes(GOOD_POINT[1:33], "big"), int.from_bytes(GOOD_POINT[33:], "big")


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param(point(0, 0), id="nought"),
        pytest.param(point(X, Y + 1), id="beside the curve"),
        pytest.param(point(X, 0), id="on a twist"),
        pytest.param(point(P256_PRIME, Y), id="beyond the field"),
        pytest.param(point(X, Y, first=6), id="hybrid"),
        pytest.param(point(X, Y, first=2), id="told to be compressed"),
        pytest.param(unpadded(b"\x00"), id="infinity"),
        pytest.param(unpadded(bytes([2 + Y % 2]) + GOOD_POINT[1:33]), id="compressed"),
        pytest.param(unpadded(GOOD_POINT[:-1]), id="one short"),
        pytest.param(unpadded(GOOD_POINT + b"\x00"), id="one long"),
        pytest.param(base64.b64encode(GOOD_POINT).decode(), id="padded"),
        pytest.param(VECTORS["page"]["publicKey"][:-1] + "!", id="not base64"),
        pytest.param("ü" * 87, id="not ASCII"),
        pytest.param(TWIN, id="another spelling of the same bytes"),
        pytest.param(VECTORS["page"]["publicKey"][:-1] + "\n", id="a line end"),
    ],
)
def test_a_public_key_that_is_no_point_of_the_curve_is_refused(refused: str | None) -> None:
    with pytest.raises(FrameRefusedError) as told:
        PageKeys(SystemEntropy()).begin(InitPayload(public_key=refused))

    assert told.value.code is FrameCode.PUBLIC_KEY_REFUSED


def test_a_good_public_key_is_taken() -> None:
    numbers = parsed_point(VECTORS["page"]["publicKey"]).public_numbers()

    assert (numbers.x, numbers.y) == (X, Y)


def test_each_connection_has_a_key_and_a_salt_of_its_own() -> None:
    scheme = PageKeys(SystemEntropy())
    offered = InitPayload(public_key=VECTORS["page"]["publicKey"])
    agreed = [scheme.begin(offered).agree(session_id="s", connection="c") for _ in range(20)]

    assert len({one.public_key for one in agreed}) == 20
    assert len({one.salt for one in agreed}) == 20

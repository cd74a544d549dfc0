"""The `shared-secret` scheme: its truth table, and the same conversation around it."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from conversation_rig import SEALED_ID, ConversationRig, conversation_rig
from frame_page import text_message
from listed_entropy import ListedEntropy

from bff.adapters.system import SystemEntropy
from bff.guests.shared_secret import SharedSecret, checked_shared_secret, shared_signature

SECRET = b"a secret of servers, 32 bytes at least"
OTHER = b"another one of servers, as long as that"


def signature_of(token: str, session_id: str = SEALED_ID, *, secret: bytes = SECRET) -> str:
    """Sign as a client in any language does."""
    return hmac.new(secret, (token + session_id).encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def rig() -> ConversationRig:
    return conversation_rig(scheme=SharedSecret(SECRET, SystemEntropy()))


@pytest.fixture
def token(rig: ConversationRig) -> str:
    rig.talk.receive(b'{"type":"init","payload":{}}')
    (created,) = rig.hear(rig.opened())
    return str(created["token"])


def frame(signature: str, *, seq: int = 1, session_id: str = SEALED_ID) -> bytes:
    fields: dict[str, Any] = {"sessionId": session_id, "seq": seq, "payload": text_message()}
    return json.dumps({"type": "message", **fields, "signature": signature}).encode()


def test_a_session_tells_its_client_a_token_and_no_key(rig: ConversationRig) -> None:
    rig.talk.receive(b'{"type":"init","payload":{}}')

    (created,) = rig.hear(rig.opened())

    assert len(created["token"]) == 43
    assert "publicKey" not in created
    assert "salt" not in created


def test_the_right_signature_is_taken(rig: ConversationRig, token: str) -> None:
    assert rig.receive(frame(signature_of(token))) == [{"type": "message_accepted", "seq": 1}]


def forgeries(token: str) -> dict[str, str]:
    right = signature_of(token)
    return {
        "empty": "",
        "short": right[:-1],
        "eight characters": right[:8],
        "long": right + "0",
        "twice": right * 2,
        "wrong": signature_of(token, secret=OTHER),
        "in capitals": right.upper(),
        "with a blank": " " + right[1:],
        "not ASCII": "ü" * 64,
        "nothing but noughts": "0" * 64,
        "of an empty secret": hmac.new(b"", (token + SEALED_ID).encode(), "sha256").hexdigest(),
        "of another session": signature_of(token, "b3RoZXI"),
        "of another token": signature_of("t" * 43),
        "the wrong way round": hmac.new(SECRET, (SEALED_ID + token).encode(), "sha256").hexdigest(),
    }


@pytest.mark.parametrize("name", forgeries("t" * 43))
def test_every_other_one_is_refused(rig: ConversationRig, token: str, name: str) -> None:
    forged = forgeries(token)[name]
    assert forged != signature_of(token)

    (told,) = rig.receive(frame(forged))

    assert (told["code"], told["seq"]) == ("signature_wrong", 1)
    assert rig.sent == []


def test_a_signature_of_another_connection_is_refused(rig: ConversationRig, token: str) -> None:
    """A recorded frame is of no use on the next connection: the token is another one."""
    other = conversation_rig(scheme=SharedSecret(SECRET, SystemEntropy()))
    other.talk.receive(b'{"type":"init","payload":{}}')
    other.hear(other.opened())

    (told,) = other.receive(frame(signature_of(token)))

    assert told["code"] == "signature_wrong"
    assert rig.receive(frame(signature_of(token)))[0]["type"] == "message_accepted"


def test_a_replay_and_a_gap_are_refused_as_always(rig: ConversationRig, token: str) -> None:
    signature = signature_of(token)
    rig.receive(frame(signature))

    told = rig.receive(frame(signature)) + rig.receive(frame(signature, seq=3))

    assert [one["code"] for one in told] == ["sequence_replayed", "sequence_gap"]
    assert len(rig.sent) == 1


def test_another_session_is_foreign_whoever_signed(rig: ConversationRig, token: str) -> None:
    signature = signature_of(token, "b3RoZXI")

    (told,) = rig.receive(frame(signature, session_id="b3RoZXI"))

    assert told["code"] == "session_foreign"


def test_ours_signs_as_the_docs_say() -> None:
    ours = shared_signature(SECRET, token="token", session_id="session")

    assert ours == signature_of("token", "session")


def test_the_token_has_the_length_that_divides_the_signed_text() -> None:
    scheme = SharedSecret(SECRET, ListedEntropy(bytes(32)))

    assert scheme.agree(session_id="s", connection="c").token == "A" * 43


@pytest.mark.parametrize(
    "weak",
    ["", "secret", "change-me", "x" * 64, "ab" * 40, "0123456789abcdef0123456789", "p4ssw0rd" * 4],
)
def test_a_weak_secret_is_refused(weak: str) -> None:
    with pytest.raises(ValueError, match="is weak") as told:
        checked_shared_secret(weak)

    assert not weak or weak not in str(told.value)


def test_a_strong_secret_is_taken() -> None:
    strong = SystemEntropy().token(32)

    assert checked_shared_secret(strong) == strong.encode()


def test_the_secret_does_not_show_itself() -> None:
    assert SECRET.decode() not in repr(SharedSecret(SECRET, SystemEntropy()))

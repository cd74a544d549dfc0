"""What one signed frame costs: read, verified and accepted, ours beside the plain way.

Run it with `python benchmarks/frame_path.py`. Both are measured in turns in the same process, and
the smallest of many rounds counts, in processor time: the ratio is what can be compared between
machines, the microseconds are not.

The plain way is what the Node middleware does for each frame, in Python and with the session
cached: `json.loads`, an HMAC made anew, the session id opened with AES-GCM, `json.dumps`. It
checks neither the body nor its order nor any limit. Ours does, and spells the message for Genesys.
"""

import base64
import hashlib
import hmac
import json
import os
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto.frame_signing import FrameSigner
from bff.guests.conversation import Conversation
from bff.guests.conversation_acts import Opened
from bff.guests.conversation_stages import ConversationPolicy
from bff.guests.frame_keys import Direction, PageKeys, encoded, frame_key, parsed_point
from bff.guests.frames import MessageAccepted, SessionCreated
from bff.guests.session_pace import SessionPace

FRAME_BYTES: Final = 346
FRAMES: Final = 500
ROUNDS: Final = 150


def main() -> None:
    """Print the table."""
    rounds = {
        "plain:   json.loads + hmac.new + AES-GCM open + json.dumps": plain_round,
        "the same, the body signed and read before it goes on": signed_body_round,
        "ours:    read + verify + order + limits + spell": our_round,
    }
    best = dict.fromkeys(rounds, float("inf"))
    for _ in range(ROUNDS):
        for name, measured in rounds.items():
            best[name] = min(best[name], measured())
    ours = list(best.values())[-1]
    print(f"one frame of {FRAME_BYTES} bytes, smallest of {ROUNDS} rounds of {FRAMES} frames")
    for name, spent in best.items():
        print(f"  {name:60} {spent:6.2f} us  {spent / ours:5.2f} x ours")


def our_round() -> float:
    """Return the microseconds for a frame."""
    conversation, signer, session_id = opened_conversation()
    frames = [signed(signer, session_id, seq) for seq in range(1, FRAMES + 1)]
    waiting = iter(frames)

    def one() -> None:
        _, accepted = conversation.receive(next(waiting))
        accepted.spell()  # type: ignore[union-attr] # the second act of an accepted frame

    spent = timeit.timeit(one, timer=time.process_time, number=FRAMES - 1)
    last = conversation.receive(frames[-1])[1]
    if not isinstance(last, MessageAccepted):
        raise SystemExit(f"not accepted: {last}")
    return spent / (FRAMES - 1) * 1e6


def opened_conversation() -> tuple[Conversation, FrameSigner, str]:
    """Return an open conversation and the page's signer, agreed as a page agrees."""
    clock, entropy = SystemClock(), SystemEntropy()
    page = ec.generate_private_key(ec.SECP256R1())
    point = page.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    conversation = Conversation(
        clock=clock,
        entropy=entropy,
        scheme=PageKeys(entropy),
        policy=ConversationPolicy(max_in_flight=FRAMES),
    )
    start = {"type": "init", "payload": {"publicKey": encoded(point)}}
    conversation.receive(json.dumps(start).encode())
    session_id = entropy.token(59)
    (created,) = conversation.hear(
        Opened(
            guest_id="guest",
            encrypted_session_id=session_id,
            expires_at=datetime.now(UTC) + timedelta(hours=1),  # noqa: TID251 - a benchmark's clock
            resumed=False,
            pace=SessionPace(per_second=FRAMES, per_minute=FRAMES),
        )
    )
    if not isinstance(created, SessionCreated) or not created.public_key or not created.salt:
        raise SystemExit("no session")
    key = frame_key(
        page.exchange(ec.ECDH(), parsed_point(created.public_key)),
        salt=base64.urlsafe_b64decode(created.salt + "="),
        direction=Direction.TO_SERVER,
        session_id=session_id,
        connection=created.connection,
    )
    signer = FrameSigner(
        key, purpose=b"message", session_id=session_id, connection=created.connection
    )
    return conversation, signer, session_id


def signed(signer: FrameSigner, session_id: str, seq: int) -> bytes:
    """Return a frame of the size of the measurements."""
    message = {"type": "Text", "text": "", "metadata": {"id": f"{seq:036}"}}
    bare = {"type": "message", "sessionId": session_id, "seq": seq, "payload": "", "signature": ""}
    empty = len(spelled(bare)) + len(spelled(spelled(message))) - 2 + 43
    message["text"] = "m" * (FRAME_BYTES - empty)
    payload = spelled(message)
    signature = signer.sign(seq, payload.encode()).decode()
    frame = spelled({**bare, "payload": payload, "signature": signature}).encode()
    if abs(len(frame) - FRAME_BYTES) > len(str(seq)):
        raise SystemExit(f"a frame of {len(frame)} bytes")
    return frame


def spelled(value: object) -> str:
    """Return JSON as a page spells it."""
    return json.dumps(value, separators=(",", ":"))


def plain_round() -> float:
    """Return the microseconds for a frame the plain way."""
    secret, cipher_key = os.urandom(32), os.urandom(32)
    cipher = AESGCM(cipher_key)
    frames = [plain_frame(cipher, secret, str(number).zfill(36)) for number in range(FRAMES)]
    waiting = iter(frames)

    def one() -> None:
        frame = json.loads(next(waiting))
        token = frame["token"]
        text = token + frame["sessionId"]
        expected = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, frame["signature"]):
            raise SystemExit("forged")
        opened = base64.b64decode(frame["sessionId"])
        cipher.decrypt(opened[:12], opened[12:], None)
        json.dumps({"action": "onMessage", "token": token, "message": frame["payload"]})
        json.dumps({"type": "message_accepted", "payload": {"id": frame["payload"]["id"]}})

    return timed(one) / FRAMES * 1e6


def plain_frame(cipher: AESGCM, secret: bytes, message_id: str) -> bytes:
    """Return a frame of the same size, signed as the middleware wants it."""
    nonce, token = os.urandom(12), "t" * 36
    sealed = base64.b64encode(nonce + cipher.encrypt(nonce, b"s" * 36, None)).decode()
    frame: dict[str, Any] = {"type": "message", "token": token, "sessionId": sealed}
    frame["signature"] = hmac.new(secret, (token + sealed).encode(), hashlib.sha256).hexdigest()
    frame["payload"] = {"type": "Text", "id": message_id, "text": ""}
    frame["payload"]["text"] = "m" * (FRAME_BYTES - len(spelled(frame)))
    return spelled(frame).encode()


def signed_body_round() -> float:
    """Return the microseconds for a frame the plain way, with its body signed and read."""
    secret = os.urandom(32)
    cipher = AESGCM(os.urandom(32))
    frames = [signed_body(cipher, secret, str(number).zfill(36)) for number in range(FRAMES)]
    waiting = iter(frames)

    def one() -> None:
        frame = json.loads(next(waiting))
        payload = frame["payload"]
        text = f"{len(frame['sessionId'])}:{frame['sessionId']}{len(payload)}:{payload}"
        digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not hmac.compare_digest(expected, frame["signature"]):
            raise SystemExit("forged")
        opened = base64.b64decode(frame["sessionId"])
        cipher.decrypt(opened[:12], opened[12:], None)
        message = json.loads(payload)
        json.dumps({"action": "onMessage", "message": message})
        json.dumps({"type": "message_accepted", "payload": {"id": message["id"]}})

    return timed(one) / FRAMES * 1e6


def signed_body(cipher: AESGCM, secret: bytes, message_id: str) -> bytes:
    """Return a frame of the same size whose signature covers its body."""
    nonce = os.urandom(12)
    sealed = base64.b64encode(nonce + cipher.encrypt(nonce, b"s" * 36, None)).decode()
    message = {"type": "Text", "id": message_id, "text": ""}
    frame = {"type": "message", "sessionId": sealed, "payload": "", "signature": "s" * 43}
    empty = len(spelled(frame)) + len(spelled(spelled(message))) - 2
    message["text"] = "m" * (FRAME_BYTES - empty)
    payload = spelled(message)
    text = f"{len(sealed)}:{sealed}{len(payload)}:{payload}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return spelled({**frame, "payload": payload, "signature": signature}).encode()


def timed(one: Callable[[], None]) -> float:
    """Return the seconds for one round."""
    return timeit.timeit(one, timer=time.process_time, number=FRAMES)


if __name__ == "__main__":
    main()

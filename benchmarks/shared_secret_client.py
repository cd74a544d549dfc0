"""A client of the `shared-secret` scheme (docs/guest-socket.md): for servers, never for pages.

    HMAC_SECRET=… python benchmarks/shared_secret_client.py ws://127.0.0.1:8081/ws/guest \
        --origin https://auth.example.com "hello"

It uses nothing of the service: whoever reads it sees all that another language has to do.
"""

import argparse
import hmac
import json
import os
from typing import Any, Final

from websockets.sync.client import connect

DEADLINE_S: Final = 10.0
LAST_WORDS: Final = frozenset({"message_delivered", "error", "session_ended"})


class SharedSecretClient:
    """Spells the frames of one connection."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._session_id = ""
        self._signature = ""
        self._seq = 0

    def init(self) -> bytes:
        """Return the first frame: there is no public key, so the server answers with a token."""
        return _spelled({"type": "init", "payload": {}})

    def learn(self, created: dict[str, Any]) -> None:
        """Take `session_created`: what to sign with from now on."""
        self._session_id = created["encryptedSessionId"]
        signed = (created["token"] + self._session_id).encode()
        # The same for every frame of the connection: that is the scheme.
        self._signature = hmac.new(self._secret, signed, "sha256").hexdigest()

    def message(self, message: dict[str, Any]) -> bytes:
        """Return the next frame."""
        return self._frame("message", _spelled(message).decode())

    def end(self) -> bytes:
        """Return the frame that ends the session."""
        return self._frame("end", "")

    def _frame(self, kind: str, payload: str) -> bytes:
        self._seq += 1
        return _spelled(
            {
                "type": kind,
                "sessionId": self._session_id,
                "seq": self._seq,
                "payload": payload,
                "signature": self._signature,
            }
        )


def _spelled(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def said(url: str, *, origin: str, secret: bytes, text: str) -> list[dict[str, Any]]:
    """Say one thing and end the session; return what the server answered."""
    client = SharedSecretClient(secret)
    answers: list[dict[str, Any]] = []
    with connect(url, additional_headers={"Origin": origin}, compression=None) as socket:

        def heard() -> dict[str, Any]:
            answers.append(json.loads(socket.recv(DEADLINE_S)))
            return answers[-1]

        socket.send(client.init().decode())
        if (created := heard())["type"] != "session_created":
            return answers
        client.learn(created)
        socket.send(client.message({"type": "Text", "text": text}).decode())
        while heard()["type"] not in LAST_WORDS:
            pass
        socket.send(client.end().decode())
        heard()
    return answers


def main() -> None:
    """Print what the server answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("text")
    parser.add_argument("--origin", required=True)
    arguments = parser.parse_args()
    # A secret has no place in arguments, which everybody on a machine can read.
    secret = os.environ["HMAC_SECRET"].encode()  # noqa: TID251 - a client has settings of its own
    for answer in said(arguments.url, origin=arguments.origin, secret=secret, text=arguments.text):
        print(json.dumps(answer))


if __name__ == "__main__":
    main()

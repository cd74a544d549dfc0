"""The `shared-secret` scheme over real sockets: off by default, beside the pages when it is on."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from frame_page import text_message
from guest_page import GuestPage
from guest_shell import Shell, ShellRig, running_shell

SECRET = "a-shared-secret-of-more-than-32-random-characters-Zq81"


def hello(page: GuestPage) -> dict[str, Any]:
    page.send(b'{"type":"init","payload":{}}')
    return page.next()


def signed(created: dict[str, Any], secret: str = SECRET) -> str:
    text = created["token"] + created["encryptedSessionId"]
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def say(page: GuestPage, created: dict[str, Any], text: str, seq: int, signature: str) -> None:
    frame = {"type": "message", "sessionId": created["encryptedSessionId"], "seq": seq}
    page.send(json.dumps({**frame, "payload": text_message(text), "signature": signature}).encode())


def test_it_is_off_by_default(rig: ShellRig) -> None:
    with rig.page() as page:
        assert hello(page)["code"] == "public_key_refused"


def test_the_truth_table_of_its_signatures(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, BFF_HMAC_SECRET=SECRET) as rig:
        with rig.page() as client, rig.page() as other:
            created, another = hello(client), hello(other)
            assert created["type"] == "session_created"
            assert "publicKey" not in created
            right = signed(created)
            wrong = ["", right[:-1], right + "0", right.upper(), signed(another)]
            wrong += [signed(created, SECRET[::-1]), "é" * 64]
            for signature in wrong:
                say(client, created, "forged", 1, signature)
                assert client.next()["code"] == "signature_wrong", signature
            say(client, created, "from a server", 1, right)
            client.until("message_delivered", seq=1)
        with rig.page() as page:
            page.open()
            page.say("from a page")
            page.until("message_delivered", seq=1)
        assert rig.heard == ["from a server", "from a page"]

"""The same signatures from WebCrypto in real browsers, with keys that no script can read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import frame_page
import pytest
from conversation_rig import conversation_rig
from frame_page import text_message
from frame_vectors import FILE
from one_playwright import one_playwright
from playwright.sync_api import Page

from bff.simulator.serving import Served

MODULE = Path(frame_page.__file__).with_name("frame_signing.mjs").read_bytes()
VECTORS: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
CREATED = {
    "encryptedSessionId": VECTORS["sessionId"],
    "connection": VECTORS["connection"],
    "salt": VECTORS["salt"],
    "publicKey": VECTORS["server"]["publicKey"],
}


def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Serve an empty page and its module. A loopback address is a secure context."""
    script = environ["PATH_INFO"].endswith(".mjs")
    kind = "text/javascript" if script else "text/html"
    start_response("200 OK", [("Content-Type", kind)])
    return [MODULE if script else b"<!doctype html><title>frames</title>"]


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with one_playwright() as playwright, Served(site) as served:
        if request.param == "chromium":
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        else:
            browser = playwright.firefox.launch(
                channel="moz-firefox", executable_path="/usr/bin/firefox-esr"
            )
        opened = browser.new_page()
        opened.goto(served.url)
        opened.evaluate("async () => { window.frames_ = await import('/frame_signing.mjs'); }")
        yield opened
        browser.close()


def test_a_browser_signs_as_the_vectors_say(page: Page) -> None:
    signatures = page.evaluate(
        """async ([half, created, frames]) => {
          const { knownPrivateKey, frameKey, sign } = window.frames_;
          const key = await frameKey(await knownPrivateKey(half), created);
          return Promise.all(frames.map((frame) => sign(key, created, frame)));
        }""",
        [VECTORS["page"], CREATED, VECTORS["frames"]],
    )

    assert signatures == [frame["signature"] for frame in VECTORS["frames"]]


def test_a_browser_opens_a_session_and_speaks(page: Page) -> None:
    rig = conversation_rig()
    public_key = page.evaluate(
        """async () => {
          window.mine = await window.frames_.newPair();
          return window.mine.publicKey;
        }"""
    )
    rig.talk.receive(json.dumps({"type": "init", "payload": {"publicKey": public_key}}).encode())
    (created,) = rig.hear(rig.opened())

    signatures = page.evaluate(
        """async ([created, payloads]) => {
          const { frameKey, sign } = window.frames_;
          const key = await frameKey(window.mine.pair.privateKey, created);
          const frame = (payload, at) => ({ purpose: "message", seq: at + 1, payload });
          return Promise.all(payloads.map((one, at) => sign(key, created, frame(one, at))));
        }""",
        [created, payloads := [text_message(f"Grüße {number} 😀") for number in range(100)]],
    )

    told = []
    for seq, (payload, signature) in enumerate(zip(payloads, signatures, strict=True), start=1):
        fields = {"sessionId": created["encryptedSessionId"], "seq": seq, "payload": payload}
        frame = {"type": "message", **fields, "signature": signature}
        told += rig.receive(json.dumps(frame).encode())[:1]
        rig.talk._in_flight.clear()
    assert told == [{"type": "message_accepted", "seq": seq} for seq in range(1, 101)]


def test_no_script_can_read_the_keys(page: Page) -> None:
    reasons = page.evaluate(
        """async (created) => {
          const { newPair, frameKey, whyNotExported } = window.frames_;
          const { pair } = await newPair();
          const key = await frameKey(pair.privateKey, created);
          return [
            await whyNotExported(key, "raw"),
            await whyNotExported(key, "jwk"),
            await whyNotExported(pair.privateKey, "jwk"),
            await whyNotExported(pair.privateKey, "pkcs8"),
          ];
        }""",
        CREATED,
    )

    assert reasons == ["InvalidAccessError"] * 4

"""A comparison the wrong way round, or one that throws: the truth table, over real sockets."""

from pathlib import Path

import pytest
from guest_shell import Shell, running_shell
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.CONVERSATION,
    can="Send frames with a wrong, short, empty or malformed signature: each is refused",
    noticed="`signature_wrong` to the page",
)
@pytest.mark.parametrize("shell", list(Shell))
def test_only_the_right_signature_is_right(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path) as rig, rig.page() as page, rig.page() as other:
        page.open()
        other.open()
        right = page.keys.sign(1, "{}")
        wrong = [
            "",
            right[:-1],
            right + "A",
            right[:42] + ("A" if right[42] != "A" else "B"),
            "A" * 43,
            "é" * 43,
            right.swapcase(),
            page.keys.sign(2, "{}"),
            page.keys.sign(1, "{ }"),
            page.keys.sign(1, "{}", purpose="end"),
            other.keys.sign(1, "{}"),
        ]
        for signature in wrong:
            page.send(page.keys.message("{}", seq=1, signature=signature))
            assert page.next()["code"] == "signature_wrong", signature
        page.say("the right one")
        page.until("message_delivered", seq=1)
        assert rig.heard == ["the right one"]

"""A limit that counts characters lets three times as many bytes through."""

from pathlib import Path

import pytest
from frame_page import text_message
from guest_shell import Shell, running_shell
from security_model import Asset, Attacker, threat


@threat(
    Attacker.STRANGER,
    Asset.SERVICE,
    can="Send large frames: 64 KiB is the limit, in bytes",
    noticed="close code 1009",
)
@pytest.mark.parametrize("shell", list(Shell))
def test_sixty_four_kibibytes_are_bytes_and_not_characters(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path) as rig:
        with rig.page() as page:
            page.open()
            fits = page.keys.message(text_message("x" * 64_000))
            assert len(fits) <= 65_536
            page.send(fits)
            assert page.until("error")["code"] == "text_too_long"
            # As many characters, and three times as many bytes: JSON as pages write it.
            wide = fits.decode().replace("x" * 64_000, "€" * 64_000)
            page.socket.send(wide)
            assert page.until_closed()[0] == 1009
        with rig.page() as page:
            page.open()
            page.send(page.keys.message(text_message("€" * 1_366)))
            assert page.until("error")["code"] == "text_too_long"
            page.send(page.keys.message(text_message("€" * 1_365)))
            page.until("message_delivered", seq=2)

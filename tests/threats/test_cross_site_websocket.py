"""A page of another site opens our socket with the visitor's cookies (cross-site hijacking)."""

from pathlib import Path

import pytest
from guest_page import Jar
from guest_shell import Shell, running_shell
from security_model import Asset, Attacker, threat
from websockets.exceptions import InvalidStatus


@threat(
    Attacker.STRANGER,
    Asset.CONVERSATION,
    can="Open the guest socket from a page of another site: refused before the upgrade",
    noticed="403",
)
@pytest.mark.parametrize("shell", list(Shell))
def test_a_foreign_or_missing_origin_is_refused_before_the_upgrade(
    shell: Shell, tmp_path: Path
) -> None:
    with running_shell(shell, tmp_path) as rig:
        jar = Jar()
        rig.sign_in(jar)
        ours = rig.stage.brand_url
        foreign = [
            "https://evil.example",
            ours.replace("http:", "https:"),
            ours + ".evil.example",
            ours.replace("www.", "www-"),
            ours.upper(),
            ours + "/",
            "null",
            None,
        ]
        for origin in foreign:
            with pytest.raises(InvalidStatus) as refused:
                rig.page(jar, origin=origin)
            assert refused.value.response.status_code == 403, origin
            assert "Sec-WebSocket-Accept" not in refused.value.response.headers
        assert not rig.stage.genesys.messaging.book.all()
        with rig.page(jar) as page:
            page.open()

"""The guest chat's script is served as the plugin's own is: to any page, for a while."""

from pathlib import Path

from bff_rig import running_bff

from bff.web.plugin_routes import SCRIPT_LIFE


def test_any_page_may_import_the_guest_chat_and_keep_it_for_a_while(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        plain = bff.app.test_client().get("/static/messenger-auth.js")
        # The query is what the plugin asks with, so that a failed import can be asked for again.
        guest = bff.app.test_client().get("/static/messenger-guest.js?1")

    assert guest.status_code == 200
    assert b"MessengerGuest" in guest.data
    assert guest.headers["Access-Control-Allow-Origin"] == "*"
    assert guest.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert guest.cache_control.max_age == int(SCRIPT_LIFE.total_seconds())
    assert guest.mimetype == plain.mimetype
    plain.close()
    guest.close()

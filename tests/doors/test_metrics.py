"""The figures of a process: for whoever has the token, and for nobody where there is none."""

from pathlib import Path

from bff_rig import running_bff

TOKEN = "token-of-the-watcher-0123456789"
DEPLOYMENT = "5b3c7d2e-1111-4222-8333-444455556666"


def test_without_a_token_in_the_settings_there_is_no_such_door(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        answer = bff.browser().get("/metrics", Authorization=f"Bearer {TOKEN}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "metrics_off")


def test_who_has_the_token_reads_the_figures(tmp_path: Path) -> None:
    with running_bff(
        tmp_path, BFF_METRICS_TOKEN=TOKEN, BFF_GENESYS_DEPLOYMENT_ID=DEPLOYMENT
    ) as bff:
        browser = bff.browser()
        answer = browser.get("/metrics", Authorization=f"Bearer {TOKEN}")
        for wrong in ("", "Bearer wrong", "Basic eDp5", f"Bearer {TOKEN}x", "Bearer é"):
            refused = browser.get("/metrics", **({"Authorization": wrong} if wrong else {}))
            assert (refused.status_code, refused.get_json()["code"]) == (401, "watcher_unknown")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "messenger_bff_guest_connections 0.0" in answer.text
    assert "messenger_bff_guest_connections_limit 1000.0" in answer.text
    assert "messenger_bff_outbox_letters " in answer.text
    assert "messenger_bff_records_pool_size 5.0" in answer.text

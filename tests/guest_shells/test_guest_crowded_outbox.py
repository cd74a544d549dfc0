"""So much waits for the database that nothing new should be begun; what goes on goes on."""

from pathlib import Path

from guest_shell import Shell, running_shell


def test_a_new_anonymous_guest_waits_and_a_chat_that_goes_on_does_not(
    shell: Shell, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    with running_shell(shell, tmp_path, BFF_RECORDS_URL=url) as rig:
        records = rig.services.records
        assert records is not None
        records.database.upgrade()
        with rig.page() as before, rig.page() as newcomer:
            before.open()
            records.outbox._limit = 0
            newcomer.send(newcomer.keys.init())
            refused = newcomer.next()
            before.say("still here")
            before.until("message_delivered", seq=1)
            assert (refused["code"], refused["retryAfter"]) == ("service_unavailable", 30)
            records.outbox._limit = 10_000
            assert newcomer.open()["resumed"] is False

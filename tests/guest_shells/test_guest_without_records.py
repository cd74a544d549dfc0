"""The database of the records is stopped in the middle of a chat, and comes back."""

from pathlib import Path

from guest_page import Jar
from guest_shell import Shell, running_shell
from postgres_server import PostgresServer


def test_a_chat_goes_on_without_its_database_and_is_remembered_later(
    shell: Shell, tmp_path: Path
) -> None:
    with (
        PostgresServer() as postgres,
        running_shell(
            shell, tmp_path, BFF_RECORDS_URL=postgres.url, BFF_RECORDS_TIMEOUT="1"
        ) as rig,
    ):
        records = rig.services.records
        assert records is not None
        records.database.upgrade()
        jar = Jar()
        with rig.page() as before:
            before.open(deviceId="device-0")
            before.say("before")
            before.until("message_delivered", seq=1)
            postgres.stop()
            before.say("without a database")
            before.until("message_delivered", seq=2)
            with rig.page(jar) as newcomer:
                guest = newcomer.open(deviceId="device-1")
                newcomer.say("new, without a database")
                newcomer.until("message_delivered", seq=1)
            records.settle()
            assert records.outbox.waiting(), "what was noted waits in the store"
            postgres.start()

        def written() -> bool:
            records.settle()
            return not records.outbox.waiting()

        rig.until(written, "it was not written")
        with rig.page(jar) as again:
            created = again.open(deviceId="device-1")
    assert (created["resumed"], created["guestId"]) == (True, guest["guestId"])

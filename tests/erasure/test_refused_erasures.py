"""A database that refuses is not one that is away; and what was begun is finished either way."""

from typing import Any

import pytest
from database_troubles import Place, passing_over
from erasure_rig import ASKER, ErasureRig, erasure_rig
from postgres_server import PostgresServer
from sqlalchemy import text

from bff.errors import RecordsDownError, RecordsRefusedError
from bff.records.erasure import Erased

RENAMED = ("ALTER TABLE guests RENAME TO gone", "ALTER TABLE gone RENAME TO guests")
NO_SOURCES = (
    "ALTER TABLE audit_sources RENAME TO gone",
    "ALTER TABLE gone RENAME TO audit_sources",
)


def run(rig: ErasureRig, statement: str) -> None:
    rig.records.database.write(lambda connection: connection.execute(text(statement)))  # type: ignore[attr-defined]  # the real one


@pytest.mark.parametrize(("breaks", "mends"), [RENAMED, NO_SOURCES])
def test_what_is_refused_after_it_was_begun_is_finished_later(
    rig: ErasureRig, breaks: str, mends: str
) -> None:
    rig.remember()
    finish = rig.guests.erasure._erasures.finish

    def broken(*given: Any, **named: Any) -> bool:
        run(rig, breaks)
        return finish(*given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig.guests.erasure._erasures, "finish", broken)
        with pytest.raises(RecordsRefusedError) as refused:
            rig.guests.erasure.ask("guest-1", ASKER)
    assert refused.value.code == "records_refused"
    assert "guest" not in refused.value.detail.replace("guests", "")
    run(rig, mends)
    assert rig.opens_nothing(), "its key has gone first"
    rig.guests.rounds.once()
    assert rig.guests.rows.find("guest-1") is None
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.ALREADY
    assert [action for action, *_ in rig.told()] == ["erasure_asked", "guest_erased"]


def test_what_is_refused_before_it_was_begun_changes_nothing(rig: ErasureRig) -> None:
    rig.remember()
    run(rig, "ALTER TABLE audit_events RENAME TO elsewhere")
    with pytest.raises(RecordsRefusedError):
        rig.guests.erasure.ask("guest-1", ASKER)
    run(rig, "ALTER TABLE elsewhere RENAME TO audit_events")
    assert rig.guests.memory.profile_of("guest-1") is not None
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE


def test_a_row_that_something_keeps_in_silence_is_not_told_erased(rig: ErasureRig) -> None:
    rig.remember()
    database: Any = rig.records.database
    place = Place(
        url=database.engine.url.render_as_string(hide_password=False).replace("+psycopg", ""),
        engine=database.engine,
    )
    with passing_over(place, "DELETE"), pytest.raises(RecordsRefusedError):
        rig.guests.erasure.ask("guest-1", ASKER)

    assert rig.guests.rows.find("guest-1") is not None
    rig.guests.rounds.once()
    assert rig.guests.rows.find("guest-1") is None
    assert [action for action, *_ in rig.told()] == ["erasure_asked", "guest_erased"]


def test_a_database_that_is_away_is_told_as_such(tmp_path: Any) -> None:
    with (
        PostgresServer() as server,
        erasure_rig(tmp_path, server.url, BFF_RECORDS_TIMEOUT="1") as rig,
    ):
        rig.remember()
        server.stop()
        with pytest.raises(RecordsDownError) as away:
            rig.guests.erasure.ask("guest-1", ASKER)
        assert type(away.value) is RecordsDownError
        assert away.value.code == "records_unavailable"
        server.start()
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE

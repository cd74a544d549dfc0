"""`messenger-bff check` looks at the database of the guest records."""

from collections.abc import Iterator

import pytest
from command_rig import Site
from postgres_server import PostgresServer
from redis_server import RedisServer, free_port


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def line_about(site: Site, **changes: str) -> tuple[int, str, str]:
    done = site.command("check", **changes)
    lines = done.out.splitlines()
    number = next(n for n, line in enumerate(lines) if " records: " in line)
    fix = lines[number + 1].strip() if lines[number + 1].startswith("   ") else ""
    return done.code, lines[number], fix


def test_the_embedded_file_is_made_later_and_that_is_fine(site: Site) -> None:
    code, line, _ = line_about(site)
    assert code == 0
    assert line.startswith("ok ")


def test_with_redis_alone_no_records_are_kept_and_that_is_said(site: Site) -> None:
    with RedisServer() as redis:
        code, line, fix = line_about(site, BFF_STORE_URL=redis.url)
    assert code == 0
    assert line.startswith("note ")
    assert "BFF_RECORDS_URL=postgresql://" in fix


def test_tables_that_are_not_ours_yet_are_a_fault_until_they_are(
    site: Site, postgres: PostgresServer
) -> None:
    url = postgres.new_database("check")
    code, line, fix = line_about(site, BFF_RECORDS_URL=url)
    assert (code, line.split()[0]) == (1, "fault")
    assert "messenger-bff db upgrade" in fix
    done = site.command("db", "upgrade", BFF_RECORDS_URL=url)
    assert done.code == 0, done.err
    code, line, _ = line_about(site, BFF_RECORDS_URL=url)
    assert (code, line.split()[0]) == (0, "ok")


def test_a_database_that_is_away_is_a_fault_and_its_password_is_not_told(site: Site) -> None:
    url = f"postgresql://messenger:pass-of-postgres@127.0.0.1:{free_port()}/records"
    done = site.command("check", BFF_RECORDS_URL=url)
    assert done.code == 1
    assert "does not answer" in done.out
    assert "pass-of-postgres" not in done.out + done.err

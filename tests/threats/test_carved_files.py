"""Files are carved after an erasure: for words, and for deleted values that a master key opens.

The store's owner has its files, or Redis' append-only file, and the master key; the owner of the
database has its files. Docs/records.md says what remains by nature, and the command that ends it:
these tests run those commands.
"""

import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg
from carving import ADDRESS, SETTINGS, SqliteCarver, disk, lives, opened, records_of, words_in
from erasure_rig import ASKER
from guest_shell import Shell, ShellRig, running_shell
from postgres_server import PostgresServer
from redis_server import RedisServer
from security_model import Asset, Attacker, threat

from bff.records.erasure import Erased


def erased(rig: ShellRig, guest_id: str) -> None:
    records = records_of(rig)
    # Whatever still waits: nothing is delivered before the erasure itself does it.
    assert records.guests.erasure.ask(guest_id, ASKER) is Erased.DONE
    records.settle()
    records.guests.rounds.once()
    assert not records.guests.erasure.owes_scrubs


@threat(
    Attacker.STORE_OWNER,
    Asset.ERASURE,
    can="read no e-mail, name, device, number, message, address or token of an erased guest in "
    "any SQLite file or write-ahead log, nor a deleted value that the master key would open",
    noticed="nothing to notice: there is nothing left to read",
)
def test_the_files_of_the_embedded_store_hold_nothing_of_an_erased_guest(tmp_path: Path) -> None:
    with running_shell(Shell.FLASK, tmp_path, **SETTINGS) as rig:
        records, carver = records_of(rig), SqliteCarver(folder=tmp_path)
        records.prepare()
        lived = lives(rig, carver.look)
        assert len(carver.deleted_but_there()) > 0, "the check can see"
        assert ADDRESS.encode() in disk(tmp_path) or records.outbox.waiting()
        erased(rig, lived.guest_id)
        assert carver.deleted_but_there() == []
        rings = (rig.services.key_ring, records.guests.ring)
        plain = opened(carver.live(), rings)
        assert words_in(plain, [*lived.words, lived.guest_id]) == [], "with the master key"
        assert words_in(disk(tmp_path), lived.words) == []
        a_minute_later(tmp_path / "guests.sqlite3")
        assert records.guests.erasure.scrub()
        assert words_in(disk(tmp_path), [*lived.words, lived.guest_id]) == []
        of_guest = [row for row in records.keeper.rows(after=0, limit=999) if row.guest]
        assert {row.source for row in of_guest} == {None, ASKER.source}


def a_minute_later(file: Path) -> None:
    """Let the news run out by which open pages are told: the guest's id, which is random."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE messages SET ends = 0")


@threat(
    Attacker.STORE_OWNER,
    Asset.ERASURE,
    can="open a deleted guest key out of Redis' append-only file with the master key, until the "
    "file is rewritten (BGREWRITEAOF); afterwards nothing of the guest",
    noticed="`erase` prints what remains, with the command that ends it",
)
def test_the_append_only_file_of_redis_holds_nothing_once_it_is_rewritten(tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="redis-aof-"))
    arguments = ("--appendonly", "yes", "--appendfsync", "always", "--dir", str(home))
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    try:
        with (
            RedisServer(*arguments) as redis,
            running_shell(
                Shell.FLASK, tmp_path, redis=redis, BFF_RECORDS_URL=url, **SETTINGS
            ) as rig,
        ):
            records_of(rig).prepare()
            lived = lives(rig)
            erased(rig, lived.guest_id)
            key = b"guest-key:" + lived.guest_id.encode()
            assert key in disk(home), "it was there, and the file only grows"
            assert words_in(disk(home), lived.words) == [], "never in plain"
            rewrite(redis)
            data = disk(home)
            assert key not in data
            assert words_in(data, [*lived.words, lived.guest_id, ADDRESS]) == []
            assert words_in(disk(tmp_path), [*lived.words, lived.guest_id]) == []
    finally:
        shutil.rmtree(home, ignore_errors=True)


def rewrite(redis: RedisServer) -> None:
    """Do what docs/records.md says, and wait until it is done."""
    command = ["redis-cli", "-p", str(redis.port)]
    subprocess.run([*command, "BGREWRITEAOF"], check=True, capture_output=True)
    for _ in range(400):
        told = subprocess.run([*command, "INFO", "persistence"], check=True, capture_output=True)
        words = told.stdout.decode()
        if "aof_rewrite_in_progress:0" in words and "aof_rewrite_scheduled:0" in words:
            assert "aof_last_bgrewrite_status:ok" in words
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("the file is not rewritten")


@threat(
    Attacker.DATABASE_OWNER,
    Asset.ERASURE,
    can="read no e-mail, name, device, number, message or token of an erased guest in "
    "PostgreSQL's data directory, WAL included; the address until VACUUM FULL and the WAL's end",
    noticed="`erase` prints what remains, with the command that ends it",
)
def test_the_data_directory_of_postgresql_holds_nothing_in_plain(tmp_path: Path) -> None:
    with (
        PostgresServer() as server,
        running_shell(Shell.FLASK, tmp_path, BFF_RECORDS_URL=server.url, **SETTINGS) as rig,
    ):
        records_of(rig).database.upgrade()
        lived = lives(rig)
        data = server._home / "data"
        erased(rig, lived.guest_id)
        flush(server)
        assert words_in(disk(data), lived.words) == []
        assert words_in(disk(tmp_path), lived.words) == []
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("VACUUM FULL guests, audit_sources, erasures")
        flush(server)
        assert words_in(disk(data / "base"), [*lived.words, lived.guest_id]) == []


def flush(server: PostgresServer) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")

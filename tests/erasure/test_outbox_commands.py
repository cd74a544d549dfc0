"""`messenger-bff outbox`: what waits, what was set aside, and what an operator may do with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed_commands import Typist, typist

from bff.records.outbox import Letter

GOOD = {
    "event_id": "later",
    "at": 1,
    "action": "signed_in",
    "outcome": "done",
    "actor_kind": "system",
    "actor": "",
    "guest": None,
    "source": None,
    "details": "{}",
}


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typist]:
    with typist(tmp_path, monkeypatch, capsys) as made:
        yield made


def set_aside(typed: Typist, name: str = "audit.x.1", **changes: object) -> None:
    with typed.records() as rig:
        body = json.dumps({**GOOD, **changes})
        rig.records.outbox.dead.put(name, Letter(desk="audit", body=body), why="malformed")


def actions(typed: Typist) -> list[str]:
    with typed.records() as rig:
        rig.records.settle()
        return [row.action for row in rig.records.keeper.rows(after=0, limit=99)]


def test_an_empty_outbox_is_listed(typed: Typist) -> None:
    done = typed.type("outbox", "list")
    assert done.code == 0
    assert "audit: 0 pending, 0 dead" in done.out
    assert "no dead letters" in done.out


def test_dead_letters_are_listed_and_shown_without_what_they_say(typed: Typist) -> None:
    set_aside(typed, source="192.0.2.77")
    listed = typed.type("outbox", "list")
    assert "audit: 0 pending, 1 dead" in listed.out
    assert "audit.x.1  audit  audit" in listed.out
    assert "malformed" in listed.out
    shown = typed.type("outbox", "show", "audit.x.1")
    assert shown.code == 0
    assert "why: malformed" in shown.out
    assert "192.0.2.77" not in shown.out + listed.out


@pytest.mark.parametrize("words", [("audit.x.1",), ("--all",)])
def test_a_retried_letter_is_written(typed: Typist, words: tuple[str, ...]) -> None:
    set_aside(typed)
    done = typed.type("outbox", "retry", *words)
    assert done.code == 0, done.err
    assert "1 event put back; 0 pending now" in done.out
    assert sorted(actions(typed)) == ["outbox_retried", "signed_in"]
    assert "no dead letters" in typed.type("outbox", "list").out


def test_a_letter_that_fails_again_is_set_aside_again_and_the_command_says_so(
    typed: Typist,
) -> None:
    set_aside(typed, at="soon")
    done = typed.type("outbox", "retry", "--all")
    assert done.code == 1
    assert "is set aside" in done.err
    assert "1 dead" in typed.type("outbox", "list").out


def test_what_cannot_be_decrypted_stays(typed: Typist) -> None:
    with typed.records() as rig:
        rig.records.outbox.dead.put_raw("guest.x.1", b"?" * 60, key="k", why="unreadable")
    done = typed.type("outbox", "retry", "--all")
    assert done.code == 1
    assert "guest.x.1 still cannot be decrypted" in done.err
    assert "guest.x.1" in typed.type("outbox", "list").out


def test_a_letter_is_discarded_with_yes_only_and_that_is_an_event(typed: Typist) -> None:
    set_aside(typed)
    said = typed.type("outbox", "discard", "audit.x.1")
    assert (said.code, "nothing was done" in said.out) == (0, True)
    assert "1 dead" in typed.type("outbox", "list").out
    assert typed.type("outbox", "discard", "audit.x.1", "--yes").code == 0
    assert actions(typed) == ["outbox_discarded"]
    assert "no dead letters" in typed.type("outbox", "list").out


@pytest.mark.parametrize("words", [("show",), ("retry",), ("discard", "--yes")])
def test_a_letter_that_is_not_there_is_named(typed: Typist, words: tuple[str, ...]) -> None:
    done = typed.type("outbox", words[0], "audit.none.1", *words[1:])
    assert done.code == 1
    assert "no dead letter audit.none.1" in done.err

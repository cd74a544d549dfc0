"""The book of sessions: found by secret only, used sparingly, ended once for everybody."""

from datetime import timedelta

import pytest
from signin_rig import ABSOLUTE, IDLE, SignInRig

from bff.errors import SignInRequiredError
from bff.signin.records import EndReason, SessionToken
from bff.signin.session_book import TOUCH_PAUSE

SECOND = timedelta(seconds=1)


def test_the_secret_leads_to_the_session_and_is_stored_nowhere(parts: SignInRig) -> None:
    token, session = parts.sign_in()

    assert parts.book.find(token) == session
    assert all(token.encode() not in value for value in parts.store.values())
    assert all(token not in name for name in parts.store.names())
    assert all(b"amira" not in value for value in parts.store.values())


@pytest.mark.parametrize("token", [None, "", "x", "A" * 43, "A" * 4096])
def test_what_is_no_secret_of_ours_finds_nothing(parts: SignInRig, token: str | None) -> None:
    parts.sign_in()
    unverified = None if token is None else SessionToken(token)

    assert parts.book.find(unverified) is None
    with pytest.raises(SignInRequiredError):
        parts.book.require(unverified)


def test_a_text_of_the_wrong_length_does_not_even_ask_the_store(parts: SignInRig) -> None:
    asked = parts.store.calls

    assert parts.book.find(SessionToken("short")) is None
    assert parts.store.calls == asked


def test_use_is_written_down_once_a_minute_at_the_most(parts: SignInRig) -> None:
    token, session = parts.sign_in()
    before = parts.store.get(f"session:{session.key}")

    parts.clock.advance(TOUCH_PAUSE - SECOND)
    parts.book.require(token)
    early = parts.store.get(f"session:{session.key}")
    parts.clock.advance(SECOND)
    parts.book.require(token)
    late = parts.store.get(f"session:{session.key}")

    assert early == before
    assert late != before


def test_it_ends_at_the_idle_limit_to_the_second(parts: SignInRig) -> None:
    token, _ = parts.sign_in()

    parts.clock.advance(IDLE - SECOND)
    assert parts.book.find(token) is not None
    parts.clock.advance(SECOND)
    assert parts.book.find(token) is None


def test_use_moves_the_idle_limit_but_never_the_absolute_one(parts: SignInRig) -> None:
    token, session = parts.sign_in()

    for _ in range(4):
        parts.clock.advance(IDLE - SECOND)
        parts.book.require(token)
    ends = parts.book.require(token).ends_at

    assert ends == session.created_at + ABSOLUTE
    parts.clock.advance(ends - parts.clock.now())
    assert parts.book.find(token) is None


def test_only_the_first_end_counts_and_is_announced(parts: SignInRig) -> None:
    _, session = parts.sign_in()

    with parts.news.inbox(session.key) as inbox:
        first = parts.book.end(session.key, EndReason.REVOKED)
        second = parts.book.end(session.key, EndReason.SIGNED_OUT)
        heard = inbox.get(timeout=5)

    assert (first, second) == (session, None)
    assert heard is not None
    assert heard.reason is EndReason.REVOKED
    assert inbox.empty()


def test_sessions_are_listed_by_person_and_by_session_at_the_provider(parts: SignInRig) -> None:
    _, laptop = parts.sign_in(sid="one")
    parts.clock.advance(SECOND)
    _, phone = parts.sign_in(sid="two")
    _, other = parts.sign_in("zoe", sid="one-of-zoe")

    assert {s.key for s in parts.book.of_person(provider="main", subject="amira")} == {
        laptop.key,
        phone.key,
    }
    assert parts.book.of_provider_session(provider="main", sid="two") == [phone]
    assert parts.book.of_person(provider="staff", subject="amira") == []
    assert [s.key for s in parts.book.everyone()][-1] == laptop.key
    assert len(parts.book.everyone()) == 3

    parts.book.end(other.key, EndReason.REVOKED)
    assert len(parts.book.everyone()) == 2


def test_lists_hold_nothing_that_has_expired(parts: SignInRig) -> None:
    parts.sign_in()
    parts.clock.advance(IDLE)

    assert parts.book.everyone() == []
    assert parts.book.of_person(provider="main", subject="amira") == []


def test_use_does_not_bring_back_what_ended_at_that_moment(
    parts: SignInRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, session = parts.sign_in()
    parts.clock.advance(TOUCH_PAUSE)
    replaced = parts.store.replace

    def ended_first(key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        parts.book.end(session.key, EndReason.REVOKED)
        return replaced(key, value, version=version, ttl=ttl)

    monkeypatch.setattr(parts.store, "replace", ended_first)
    parts.book.require(token)

    assert parts.book.find(token) is None

"""Which sessions an operator's words mean."""

from datetime import UTC, datetime, timedelta

import pytest

from bff.operator_tables import NoSessionChosenError, chosen_sessions, session_table
from bff.signin.fingerprints import session_key
from bff.signin.records import BrowserSession, Person, SessionKey, SessionToken

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def a_session(key: str, **claims: str) -> BrowserSession:
    person = Person(provider="main", subject="c-1", pairwise="p", claims=claims)
    return BrowserSession(
        key=SessionKey(key),
        person=person,
        created_at=NOON,
        seen_at=NOON,
        idle_limit=timedelta(hours=1),
        absolute_limit=timedelta(hours=2),
    )


TWINS = [a_session("abcdef0123456789-one"), a_session("abcdef0123456789-two")]


def test_a_beginning_that_fits_several_sessions_chooses_none() -> None:
    with pytest.raises(NoSessionChosenError, match="fits several"):
        chosen_sessions(TWINS, prefix="abcdef01", person=None)


def test_a_beginning_that_fits_one_chooses_it() -> None:
    assert chosen_sessions(TWINS, prefix="abcdef0123456789-t", person=None) == TWINS[1:]


def test_a_person_without_an_address_is_not_found_by_an_empty_one() -> None:
    with pytest.raises(NoSessionChosenError):
        chosen_sessions(TWINS, prefix=None, person="")


def test_ids_never_look_like_an_option() -> None:
    keys = [session_key(SessionToken(f"token-{number}")) for number in range(200)]

    assert all(key.isalnum() for key in keys)


def test_a_name_cannot_steer_the_terminal() -> None:
    table = session_table([a_session("k" * 64, email="\x1b[2Jx@y.example")], person=None)

    assert "\x1b" not in table
    assert "?[2Jx@y.example" in table

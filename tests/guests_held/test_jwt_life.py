"""How long a JWT lives is read from it, whatever it says and whatever our clock says."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.guests.jwt_life import LONGEST, SHORTEST, UNKNOWN, life_of

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
THEIRS = int(NOW.timestamp()) + 7200


def spelled(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("claims", "life"),
    [
        ({"iat": THEIRS, "exp": THEIRS + 900}, timedelta(minutes=15)),
        ({"iat": THEIRS, "exp": THEIRS - 5}, SHORTEST),
        ({"iat": THEIRS, "exp": THEIRS + 10**9}, LONGEST),
        ({"exp": NOW.timestamp() + 300}, timedelta(minutes=5)),
        ({"iat": THEIRS}, UNKNOWN),
        ({"iat": THEIRS, "exp": True}, UNKNOWN),
        ({"iat": THEIRS, "exp": "soon"}, UNKNOWN),
        ({"iat": THEIRS, "exp": 10**300}, UNKNOWN),
        ({"iat": THEIRS, "exp": float("nan")}, UNKNOWN),
        ([1, 2], UNKNOWN),
    ],
)
def test_the_life_is_exp_minus_iat_by_the_clock_of_genesys(claims: object, life: timedelta) -> None:
    assert life_of(spelled(claims), asked_at=NOW) == life


@given(st.text() | st.binary().map(lambda raw: f"a.{base64.b64encode(raw).decode()}.b"))
def test_no_text_is_too_odd(text: str) -> None:
    assert SHORTEST <= life_of(text, asked_at=NOW) <= LONGEST

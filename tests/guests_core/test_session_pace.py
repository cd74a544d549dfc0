"""Genesys' own limits, kept in memory: no more in any second and minute, wherever they begin."""

from datetime import datetime, timedelta

import pytest
from hand_clock import START
from hypothesis import given
from hypothesis import strategies as st

from bff.guests.session_pace import FrameKind, SessionPace

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def said(pace: SessionPace, now: datetime, kind: FrameKind = FrameKind.MESSAGE) -> float | None:
    wait = pace.admit(kind, now=now)
    return None if wait is None else wait.total_seconds()


def test_five_in_a_second_and_the_sixth_is_told_how_long_to_wait() -> None:
    pace = SessionPace()
    waits = [said(pace, START + timedelta(milliseconds=100 * n)) for n in range(6)]

    assert waits == [None] * 5 + [0.5]
    assert said(pace, START + timedelta(milliseconds=999)) == 0.001
    assert said(pace, START + SECOND) is None


def test_sixty_in_a_minute_and_the_next_is_told_how_long_to_wait() -> None:
    pace = SessionPace()
    waits = [said(pace, START + n * SECOND / 2) for n in range(60)]

    assert waits == [None] * 60
    assert said(pace, START + 31 * SECOND) == 29
    assert said(pace, START + MINUTE) is None


def test_typing_is_told_once_in_five_seconds_and_counts_for_no_message() -> None:
    pace = SessionPace(per_second=1)

    assert said(pace, START, FrameKind.TYPING) is None
    assert said(pace, START + 2 * SECOND, FrameKind.TYPING) == 3
    assert said(pace, START + 2 * SECOND) is None
    assert said(pace, START + 5 * SECOND, FrameKind.TYPING) is None


@given(steps=st.lists(st.integers(min_value=0, max_value=400), min_size=1, max_size=200))
def test_no_window_ever_holds_more_and_waiting_as_told_is_enough(steps: list[int]) -> None:
    pace, now, admitted = SessionPace(), START, list[datetime]()
    for step in steps:
        now += timedelta(milliseconds=step)
        wait = pace.admit(FrameKind.MESSAGE, now=now)
        if wait is not None:
            assert timedelta(0) < wait <= MINUTE
            now += wait
            assert pace.admit(FrameKind.MESSAGE, now=now) is None
        admitted.append(now)

    for start in admitted:
        assert sum(start <= one < start + SECOND for one in admitted) <= 5
        assert sum(start <= one < start + MINUTE for one in admitted) <= 60


@pytest.mark.parametrize("kind", list(FrameKind))
def test_a_clock_that_is_set_back_silences_nobody(kind: FrameKind) -> None:
    pace = SessionPace()
    for _ in range(5):
        pace.admit(kind, now=START)

    back = [said(pace, START - timedelta(hours=1) + n * 5 * SECOND, kind) for n in range(20)]

    assert back == [None] * 20


def test_memory_is_bounded() -> None:
    pace = SessionPace(per_second=60)
    for number in range(1000):
        pace.admit(FrameKind.MESSAGE, now=START + number * 2 * SECOND)

    assert len(pace._times) == 60


@pytest.mark.parametrize(("per_second", "per_minute"), [(0, 1), (2, 1), (-1, 60)])
def test_limits_that_make_no_sense_are_refused(per_second: int, per_minute: int) -> None:
    with pytest.raises(ValueError, match="no more than its minute"):
        SessionPace(per_second=per_second, per_minute=per_minute)

"""The history of a conversation, read with the JWT that getJwt gives on the socket."""

import contextlib
from collections import deque
from dataclasses import replace
from datetime import timedelta
from itertools import repeat
from typing import Any

import pytest
from genesys_rig import Guest
from held_rig import HeldRig

from bff.errors import GenesysAnswerError, GenesysDownError, GenesysRefusedError
from bff.guests.guest_history import GuestHistory
from bff.guests.upstream_frames import read_history
from bff.ports import AuthCode, PlatformAnswer


class Echoing:
    """Doors whose history answers as it was told."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.answer = PlatformAnswer(status=200, body=body)

    def exchange(self, code: AuthCode, *, limit: timedelta) -> PlatformAnswer:
        return replace(self.answer, status=int(bool(code) and bool(limit)))

    def refresh(self, refresh_token: str, *, limit: timedelta) -> PlatformAnswer:
        return replace(self.answer, status=int(bool(refresh_token) and bool(limit)))

    def revoke(self, jwt: str, *, limit: timedelta) -> PlatformAnswer:
        return replace(self.answer, status=int(bool(jwt) and bool(limit)))

    def history(self, jwt: str, *, page: int, limit: timedelta) -> PlatformAnswer:
        assert jwt
        assert page
        assert limit
        return self.answer


def said(guest: Guest, count: int) -> str:
    """Say so many lines and return a JWT that reads them."""
    for number in range(count):
        guest.answer_to(guest.say(f"line {number}"))
    return str(guest.answer_to(guest.send("getJwt"))["body"]["jwt"])


def test_pages_of_what_the_person_said_come_newest_first(held: HeldRig) -> None:
    own = held.tokens.jwt_for(held.new_session())
    history = GuestHistory(held.doors)
    with contextlib.closing(Guest(held.stage.genesys_url)) as guest:
        assert guest.configure(own)["code"] == 200
        jwt = said(guest, 3)
        page = history.page(jwt)

        assert [entity["text"] for entity in page["entities"]][-1] == "line 0"
        assert page["pageNumber"] == 1
        assert read_history(page) is not None
        assert history.page(jwt, number=2)["entities"] == []
        with pytest.raises(GenesysRefusedError):
            history.page(own)
        with pytest.raises(GenesysDownError) as told:
            deque(map(history.page, repeat(jwt, 10)))
        assert told.value.retry_after


def test_a_jwt_for_the_history_lives_a_minute(held: HeldRig) -> None:
    with contextlib.closing(Guest(held.stage.genesys_url)) as guest:
        guest.configure()
        jwt = said(guest, 1)
        held.clock.advance(timedelta(seconds=61))
        with pytest.raises(GenesysRefusedError):
            GuestHistory(held.doors).page(jwt)


@pytest.mark.parametrize("body", [{}, {"entities": None}, {"entities": {"a": 1}}])
def test_a_page_that_is_none_is_not_believed(body: dict[str, Any]) -> None:
    with pytest.raises(GenesysAnswerError):
        GuestHistory(Echoing(body)).page("a.b.c")


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX-Injected: 1", "é"])
def test_what_is_no_jwt_is_not_put_into_a_header(text: str) -> None:
    with pytest.raises(GenesysRefusedError):
        GuestHistory(Echoing({"entities": []})).page(text)

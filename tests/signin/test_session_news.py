"""News of sessions inside one process: to every open page, and honest about what was missed."""

import json
import queue

import pytest
from memory_store import MemoryStore
from signin_rig import SignInRig

from bff.signin.records import EndReason
from bff.signin.session_news import CHANNEL


def test_every_page_of_the_session_is_told_and_no_other(parts: SignInRig) -> None:
    _, ours = parts.sign_in()
    _, other = parts.sign_in("zoe")

    with (
        parts.news.inbox(ours.key) as one,
        parts.news.inbox(ours.key) as two,
        parts.news.inbox(other.key) as third,
    ):
        parts.book.end(ours.key, EndReason.REVOKED)

        assert one.get(timeout=5) == two.get(timeout=5)
        with pytest.raises(queue.Empty):
            third.get(timeout=0.1)


def test_a_lost_subscription_sends_every_page_back_and_is_taken_again(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    store: MemoryStore = parts.store

    with parts.news.inbox(session.key) as inbox:
        store.down = True
        assert inbox.get(timeout=5) is None
        store.down = False

    # The first may still find the old state and be told to come back once more.
    for _ in range(50):
        with parts.news.inbox(session.key) as inbox:
            parts.store.publish(CHANNEL, _ended(session.key))
            if inbox.get(timeout=5) is not None:
                return
    raise AssertionError("the subscription never came back")


def test_a_reason_of_a_newer_version_sends_pages_back_and_stops_nobody(parts: SignInRig) -> None:
    _, session = parts.sign_in()

    with parts.news.inbox(session.key) as inbox:
        for message in (b"no json", b"[]", _ended(session.key, "moved_to_mars")):
            parts.store.publish(CHANNEL, message)
            assert inbox.get(timeout=5) is None
        parts.store.publish(CHANNEL, _ended(session.key))

        assert inbox.get(timeout=5) is not None


def test_a_desk_that_has_closed_sends_everybody_back(parts: SignInRig) -> None:
    _, session = parts.sign_in()

    with parts.news.inbox(session.key) as waiting:
        parts.news.close()
        parts.news.close()
        assert waiting.get(timeout=5) is None
    with parts.news.inbox(session.key) as late:
        assert late.get(timeout=5) is None


def _ended(key: str, reason: str = "revoked") -> bytes:
    return json.dumps({"key": key, "reason": reason}).encode()

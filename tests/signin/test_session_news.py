"""News of sessions inside one process: to every open page, and honest about what was missed."""

import json
import queue

import pytest
from memory_store import MemoryStore
from signin_rig import SignInRig

from bff.errors import StoreDownError
from bff.signin.records import EndReason
from bff.signin.session_news import CHANNEL, SessionEnded


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


def test_a_follower_is_told_until_it_has_enough(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    told: queue.SimpleQueue[SessionEnded | None] = queue.SimpleQueue()

    with parts.news.inbox(session.key) as inbox:
        parts.news.follow(session.key, told.put)
        parts.book.end(session.key, EndReason.REVOKED)
        assert told.get(timeout=5) == inbox.get(timeout=5)

        parts.news.unfollow(session.key, told.put)
        parts.news.unfollow(session.key, told.put)
        parts.store.publish(CHANNEL, _ended(session.key))
        assert inbox.get(timeout=5) is not None
        assert told.empty()


def test_who_follows_before_anything_can_be_heard_is_told_to_look_when_it_can(
    parts: SignInRig,
) -> None:
    _, session = parts.sign_in()
    store: MemoryStore = parts.store
    told: queue.SimpleQueue[SessionEnded | None] = queue.SimpleQueue()
    store.down = True

    parts.news.follow(session.key, told.put)  # neither waits nor raises
    with pytest.raises(StoreDownError), parts.news.inbox(session.key):
        pass
    store.down = False

    assert told.get(timeout=5) is None
    parts.store.publish(CHANNEL, _ended(session.key))
    assert told.get(timeout=5) is not None


def test_who_was_told_of_a_loss_is_told_again_when_it_is_over(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    store: MemoryStore = parts.store
    told: queue.SimpleQueue[SessionEnded | None] = queue.SimpleQueue()
    with parts.news.inbox(session.key):
        parts.news.follow(session.key, told.put)

    store.down = True
    assert told.get(timeout=5) is None
    with pytest.raises(StoreDownError), parts.news.inbox(session.key):
        pass
    assert told.empty(), "told at every try"
    store.down = False
    # What ended between the loss and now was told to nobody: look again.
    assert told.get(timeout=5) is None
    parts.store.publish(CHANNEL, _ended(session.key))
    assert told.get(timeout=5) is not None


def test_a_desk_that_has_closed_tells_a_follower_at_once(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    told: queue.SimpleQueue[SessionEnded | None] = queue.SimpleQueue()

    parts.news.close()
    parts.news.follow(session.key, told.put)

    assert told.get(timeout=5) is None


def _ended(key: str, reason: str = "revoked") -> bytes:
    return json.dumps({"key": key, "reason": reason}).encode()

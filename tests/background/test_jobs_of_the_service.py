"""Each job of the service is killed, and serves on; whoever depended on it is told the truth."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from background_rig import AT_ONCE, LIMIT_S, Hurry, becomes, eventually, health_of
from hand_clock import HandClock
from memory_store import MemoryStore, MemorySubscription
from ring_rigs import MASTER
from signin_rig import SignInRig, signin_rig

from bff.adapters.sqlite_connections import SqliteConnections
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemEntropy
from bff.background.jobs import JobState
from bff.background.runner import BackgroundRunner, BackOff
from bff.crypto.keyring import KeyRing
from bff.errors import StoreDownError
from bff.leases import kept
from bff.ports import Foundation, Lease
from bff.records.outbox import Letter, Outbox, OutboxWriter
from bff.signin.records import EndReason, SessionKey
from bff.signin.revocation_rounds import RevocationRounds
from bff.signin.session_news import CHANNEL, JOB, NewsDesk, SessionEnded, announce

Told = queue.SimpleQueue[SessionEnded | None]
KEY = SessionKey("k" * 64)
ENDED = SessionEnded(key=KEY, reason=EndReason.REVOKED)
FAULTS = [RuntimeError("unforeseen"), RecursionError(), MemoryError(), AttributeError("none")]


class FaultyStore(MemoryStore):
    """A store whose subscriptions raise what no promise names."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.raises: queue.SimpleQueue[Exception] = queue.SimpleQueue()
        self.open: list[MemorySubscription] = []

    def subscribe(self, *channels: str) -> MemorySubscription:
        subscription = super().subscribe(*channels)
        real = subscription.receive

        def receive(timeout: timedelta) -> tuple[str, bytes] | None:
            heard = real(timeout)
            if not self.raises.empty():
                raise self.raises.get()
            return heard

        subscription.receive = receive  # type: ignore[method-assign]  # a fault, planted inside
        return subscription


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(HandClock())


@pytest.fixture
def desk(store: FaultyStore, runner: BackgroundRunner) -> Iterator[NewsDesk]:
    made = NewsDesk(store, clock=HandClock(), runner=runner)
    yield made
    made.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_listener_that_dies_sends_pages_back_and_listens_again(
    store: FaultyStore, desk: NewsDesk, runner: BackgroundRunner, fault: Exception
) -> None:
    told: Told = queue.SimpleQueue()
    with desk.inbox(KEY):
        desk.follow(KEY, told.put)

    store.raises.put(fault)
    store.publish(CHANNEL, b"{}")

    # Once for the loss, and once because what ended meanwhile was told to nobody.
    assert told.get(timeout=LIMIT_S) is None
    assert told.get(timeout=LIMIT_S) is None
    assert health_of(runner, JOB).restarts == 1
    announce(store, ENDED)
    assert told.get(timeout=LIMIT_S) == ENDED


def test_a_dead_listener_does_not_say_that_it_listens(store: FaultyStore, hurry: Hurry) -> None:
    runner = hurry.runner(BackOff(first=timedelta(hours=1)))
    desk = NewsDesk(store, clock=HandClock(), runner=runner)
    told: Told = queue.SimpleQueue()
    with desk.inbox(KEY):
        desk.follow(KEY, told.put)
    heard_before = desk.listening

    store.raises.put(RuntimeError("unforeseen"))
    store.publish(CHANNEL, b"{}")

    assert told.get(timeout=LIMIT_S) is None
    assert (heard_before, desk.listening) == (True, False)
    assert becomes(runner, JOB, JobState.RESTARTING)
    with pytest.raises(StoreDownError), desk.inbox(KEY):
        pass
    desk.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"[" * 100_000,
        b'{"key": ["a list"], "reason": "revoked"}',
        b'{"key": {}, "reason": "revoked"}',
        b'{"key": 7, "reason": "revoked"}',
        b'{"key": "k", "reason": ["revoked"]}',
        b'{"key": "k"}',
        b'"text"',
        b"null",
        b"\xff\xfe",
        b"",
    ],
    ids=lambda garbage: repr(garbage[:24]),
)
def test_no_message_kills_the_listener(
    store: FaultyStore, desk: NewsDesk, runner: BackgroundRunner, garbage: bytes
) -> None:
    told: Told = queue.SimpleQueue()
    with desk.inbox(KEY):
        desk.follow(KEY, told.put)

    store.publish(CHANNEL, garbage)
    announce(store, ENDED)

    assert told.get(timeout=LIMIT_S) is None
    assert told.get(timeout=LIMIT_S) == ENDED
    assert health_of(runner, JOB).restarts == 0


def test_a_page_that_raises_hides_the_news_from_nobody(
    store: FaultyStore, desk: NewsDesk, runner: BackgroundRunner, caplog: pytest.LogCaptureFixture
) -> None:
    told: Told = queue.SimpleQueue()

    def broken(_: SessionEnded | None) -> None:
        raise RuntimeError("a fault of this page's")

    with desk.inbox(KEY):
        desk.follow(KEY, broken)
        desk.follow(KEY, told.put)
    announce(store, ENDED)
    assert told.get(timeout=LIMIT_S) == ENDED
    store.publish(CHANNEL, b"to everybody")
    assert told.get(timeout=LIMIT_S) is None
    assert health_of(runner, JOB).restarts == 0
    assert "could not be told" in caplog.text

    desk.close()
    assert told.get(timeout=LIMIT_S) is None


def test_a_desk_that_closes_is_no_death(
    store: FaultyStore, runner: BackgroundRunner, caplog: pytest.LogCaptureFixture
) -> None:
    real = runner.stop

    def late(name: str | None = None, *, limit: timedelta = AT_ONCE) -> None:
        # Whoever closes is held up here, while the listener finds that it is over.
        threading.Event().wait(0.1)
        real(name, limit=limit)

    desk = NewsDesk(store, clock=HandClock(), runner=runner)
    with desk.inbox(KEY):
        pass
    runner.stop = late  # type: ignore[method-assign]  # a delay, planted inside
    desk.close()
    runner.stop = real  # type: ignore[method-assign]

    assert health_of(runner, JOB).restarts == 0
    assert health_of(runner, JOB).state is JobState.STOPPED
    assert "died" not in caplog.text


def test_a_listener_that_hears_nothing_of_a_store_for_long_is_stalled(
    store: FaultyStore, hurry: Hurry, runner: BackgroundRunner
) -> None:
    desk = NewsDesk(store, clock=SlowClock(), runner=runner)
    with desk.inbox(KEY):
        pass
    store.down = True
    assert eventually(lambda: not desk.listening)
    hurry.clock.advance(timedelta(minutes=2))
    assert health_of(runner, JOB).state is JobState.STALLED

    store.down = False
    assert becomes(runner, JOB, JobState.RUNNING)
    desk.close()


class SlowClock(HandClock):
    """Lets a moment pass where others wait."""

    def sleep(self, duration: timedelta) -> None:
        del duration
        threading.Event().wait(0.01)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_the_outbox_is_delivered_after_its_writer_died(
    runner: BackgroundRunner, fault: Exception
) -> None:
    parts = signin_rig()
    foundation = _foundation(parts)
    outbox, delivered = Outbox(foundation), queue.SimpleQueue[str]()
    faults = [fault]

    def afterwards() -> None:
        if faults:
            raise faults.pop()

    writer = OutboxWriter(
        outbox, foundation, desks={"desk": delivered.put}, afterwards=afterwards, runner=runner
    )
    writer.start()
    outbox.put(Letter(desk="desk", body="first"))
    assert delivered.get(timeout=LIMIT_S) == "first"
    assert eventually(lambda: health_of(runner, "outbox").restarts == 1)
    outbox.put(Letter(desk="desk", body="second"))

    assert delivered.get(timeout=LIMIT_S) == "second"
    assert becomes(runner, "outbox", JobState.RUNNING)
    writer.stop()


def test_the_rounds_of_revocation_go_on_after_one_died(runner: BackgroundRunner) -> None:
    parts = signin_rig()
    rounds: Any = parts.sign_out
    done, faults = threading.Event(), [RuntimeError("unforeseen"), StoreDownError("expected")]

    def retry() -> int:
        # The lease of a round must not keep the next one waiting here.
        parts.clock.advance(timedelta(minutes=1))
        if faults:
            raise faults.pop(0)
        done.set()
        return 0

    rounds.retry_revocations = retry
    every = timedelta(milliseconds=5)
    going = RevocationRounds(parts.sign_out, store=parts.store, every=every, runner=runner)
    going.start()

    assert done.wait(LIMIT_S)
    assert health_of(runner, "revocations").restarts == 1
    going.stop()


def test_a_lease_is_renewed_whatever_one_renewal_came_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore(HandClock())
    renewed, faults = threading.Event(), [RuntimeError("unforeseen"), StoreDownError("away")]
    real: Callable[..., bool] = store.renew_lease

    def renew(lease: Lease, *, ttl: timedelta) -> bool:
        if faults:
            raise faults.pop()
        renewed.set()
        return real(lease, ttl=ttl)

    store.renew_lease = renew  # type: ignore[method-assign]  # a fault, planted inside
    lease = store.acquire_lease("work", ttl=timedelta(milliseconds=30))
    assert lease is not None
    with kept(store, lease, ttl=timedelta(milliseconds=30)):
        assert renewed.wait(LIMIT_S)

    assert "could not be renewed" in caplog.text


def test_the_reader_of_the_file_is_replaced_when_it_dies(
    tmp_path: Path, runner: BackgroundRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "store.sqlite3", HandClock(), SystemEntropy())
    desk = NewsDesk(store, clock=SlowClock(), runner=runner)
    told: Told = queue.SimpleQueue()
    faults = [MemoryError()]
    real = SqliteConnections.open

    def open_once_without(connections: SqliteConnections) -> Any:
        if faults and threading.current_thread().name == "sqlite-feed":
            raise faults.pop()
        return real(connections)

    monkeypatch.setattr(SqliteConnections, "open", open_once_without)
    desk.follow(KEY, told.put)
    assert told.get(timeout=LIMIT_S) is None  # what it may have missed before it listened
    assert eventually(lambda: not faults and desk.listening)

    assert eventually(lambda: _is_heard(store, told))
    desk.close()
    store.close()


def _is_heard(store: SqliteStore, told: Told) -> bool:
    message = json.dumps({"key": KEY, "reason": "revoked"}).encode()
    store.publish(CHANNEL, message)
    try:
        return told.get(timeout=0.2) == ENDED
    except queue.Empty:
        return False


def _foundation(parts: SignInRig) -> Foundation:
    entropy = SystemEntropy()
    ring = KeyRing(
        parts.store,
        "at-rest",
        master_keys=(MASTER,),
        clock=parts.clock,
        entropy=entropy,
        rotate_after=timedelta(days=1),
        keep_for=timedelta(days=40),
    )
    return Foundation(store=parts.store, sealer=ring, clock=parts.clock, entropy=entropy)

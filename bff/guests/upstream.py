"""One guest session at Genesys, without its socket: calls in, actions out.

The owner calls one method at a time, does what the returned actions say in their order, and
calls `tick` at `wake_at`. After `Disconnect` it reports nothing more about that socket. Every
message that `send` takes gets exactly one `Delivered` or `Failed` in the end; events get at most
a `Failed`. `Ended` or `Left` is the last word. Nothing is raised for what Genesys says.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from bff.guests.upstream_frames import read_frame, read_history, read_payload
from bff.guests.upstream_news import (
    Action,
    EndReason,
    FailureCode,
    LeaveReason,
)
from bff.guests.upstream_policy import MIN_BETWEEN_HEALTH_CHECKS
from bff.guests.upstream_state import DEAF, LIVE, OVER, Stage
from bff.guests.upstream_timers import Timer
from bff.guests.upstream_traffic import UpstreamTraffic

log = logging.getLogger(__name__)

_COME_BACK_LATER: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_TURNED_AWAY: Final = timedelta(seconds=1)
_PONG: Final = Timer.PONG
_RENEW: Final = Timer.RENEW


class Upstream(UpstreamTraffic):
    """Drives one web messaging session; see the module for what its owner must keep."""

    __slots__ = ()

    @property
    def stage(self) -> Stage:
        """Return how far the connection has come."""
        return self._state.stage

    @property
    def wake_at(self) -> datetime | None:
        """Return when `tick` is wanted next. It changes with every call."""
        return self._state.timers.next()

    @property
    def waiting(self) -> int:
        """Return how many accepted messages have no fate yet."""
        return len(self._state.outbox)

    @property
    def jwt_awaited(self) -> bool:
        """Say whether an AskJwt is still to be answered."""
        return self._state.jwt_awaited

    def start(self) -> list[Action]:
        """Begin."""
        self._now = self._clock.now()
        if self._state.stage is Stage.IDLE:
            self._state.lost_at = self._now
            self._dial(timedelta(0))
        return self._told()

    def opened(self) -> list[Action]:
        """The socket that was dialled is open."""
        self._now = self._clock.now()
        if self._state.stage is Stage.DIALLING:
            self._begin_configuring()
        return self._told()

    def refused(self, status: int) -> list[Action]:
        """The upgrade was refused with an HTTP status."""
        self._now = self._clock.now()
        if self._state.stage is Stage.DIALLING:
            log.warning("upstream: upgrade refused with %d", status)
            passing = status not in range(400, 500) or status in _COME_BACK_LATER
            # Whom Genesys knew a moment ago it does not turn away for good.
            if passing or self._state.was_ready:
                self._lost(at_least=_TURNED_AWAY)
            else:
                self._end(EndReason.REFUSED)
        return self._told()

    def closed(self, code: int | None = None, reason: str = "") -> list[Action]:
        """The socket closed, or could not be opened."""
        self._now = self._clock.now()
        if self._state.stage not in {Stage.IDLE, Stage.OVER}:
            log.info("upstream: closed with %s %.60r", code, reason)
            self._lost()
        return self._told()

    def received(self, text: str | bytes | bytearray | memoryview) -> list[Action]:
        """Genesys sent a frame."""
        self._now = self._clock.now()
        state = self._state
        if state.stage in DEAF:
            return []
        state.last_heard = self._now
        state.timers.drop(_PONG)
        frame = read_frame(text)
        if frame is None:
            log.info("upstream: a frame of %d bytes that cannot be read", len(text))
        elif frame.name == "StructuredMessage":
            self._heard(frame)
        else:
            self._take(frame)
        return self._told()

    def send(self, payload: bytes | str | Mapping[str, Any], tracing_id: str) -> list[Action]:
        """Say something. `tracing_id` is new, and no longer than a page's id may be."""
        self._now = self._clock.now()
        state = self._state
        read = read_payload(payload, tracing_id)
        if read is None:
            self._fail(tracing_id, FailureCode.MALFORMED)
        elif state.stage is OVER or state.ending:
            self._fail(tracing_id, FailureCode.SESSION_OVER)
        elif state.draining:
            self._fail(tracing_id, FailureCode.NOT_REACHED, retry_after=_TURNED_AWAY)
        else:
            self._accept(read, tracing_id)
        return self._told()

    def jwt_ready(self, jwt: str) -> list[Action]:
        """Here is the JWT that AskJwt wanted."""
        self._now = self._clock.now()
        state = self._state
        if state.jwt_awaited and state.stage in {Stage.AWAITING_JWT, Stage.LIVE}:
            self._configure(jwt)
        return self._told()

    def jwt_failed(self, *, refused: bool) -> list[Action]:
        """There is no JWT: the sign-in is over (`refused`), or nobody could be asked."""
        self._now = self._clock.now()
        if self._state.jwt_awaited:
            self._jwt_missing(refused=refused)
        return self._told()

    def history(self, body: bytes | str | Mapping[str, Any]) -> list[Action]:
        """Here is the page of the history that AskHistory wanted, as it was answered."""
        self._now = self._clock.now()
        self._history_page(read_history(body))
        return self._told()

    def history_failed(self) -> list[Action]:
        """The history could not be fetched."""
        self._now = self._clock.now()
        self._history_page(None)
        return self._told()

    def step_up(self) -> list[Action]:
        """Continue as the signed-in person, on the same token."""
        self._now = self._clock.now()
        state = self._state
        if state.authenticated or state.ending or state.stage is Stage.OVER:
            return self._told()
        state.authenticated = state.stepping_up = True
        if state.stage is Stage.LIVE:
            self._sign_on()
        return self._told()

    def end(self, *, after: timedelta = timedelta(0)) -> list[Action]:
        """The session is to end: what was accepted goes first.

        With `after` there may be more in other tabs, and Genesys ends it for them all: it is asked
        to by whoever ended it, and from here only if that has not come to pass by then.
        """
        self._now = self._clock.now()
        state = self._state
        if state.stage is Stage.IDLE:
            self._end(EndReason.ENDED)
        elif state.stage is not Stage.OVER and not state.ending:
            state.ending = True
            state.close_not_before = self._now + after
            state.timers.set(Timer.END, self._now + state.policy.end_patience)
        return self._told()

    def drain(self) -> list[Action]:
        """Finish what is in flight and stop; the session lives on elsewhere."""
        self._now = self._clock.now()
        state = self._state
        if state.stage is not Stage.OVER and not state.draining:
            state.draining, state.close_not_before = True, None
            state.timers.set(Timer.DRAIN, self._now + state.policy.drain_patience)
            if not state.configured:
                self._leave(LeaveReason.DRAINED)
        return self._told()

    def finish(self) -> list[Action]:
        """Nobody listens any more: stop once everything that was accepted has its fate.

        Unlike `drain` this has time: for the session to be opened, or for Genesys to come back.
        """
        self._now = self._clock.now()
        state = self._state
        if state.stage is not Stage.OVER and not state.finishing and not state.draining:
            state.finishing = True
            state.timers.set(Timer.DRAIN, self._now + state.policy.finish_patience)
            if not len(state.outbox):
                self._leave(LeaveReason.DRAINED)
        return self._told()

    def tick(self) -> list[Action]:
        """Look at the clock."""
        self._now = self._clock.now()
        for timer in self._state.timers.take_due(self._now):
            if self._state.stage is not Stage.OVER:
                self._due(timer)
        return self._told()

    def _due(self, timer: Timer) -> None:
        match timer:
            case Timer.REACH | Timer.ECHO | Timer.PONG:
                log.info("upstream: nothing came in time (%s)", timer)
                self._out_of_patience()
            case Timer.STEP_UP:
                self._jwt_missing(refused=False)
            case Timer.PING:
                self._ping()
            case Timer.HISTORY:
                self._recovery_due()
            case Timer.END:
                self._end(EndReason.ENDED)
            case Timer.DRAIN:
                self._leave(LeaveReason.DRAINED)
            case Timer.RENEW | Timer.PACE:
                pass  # what is due now is done whenever anything was

    def _out_of_patience(self) -> None:
        if self._state.stage is Stage.AWAITING_JWT:
            self._jwt_missing(refused=False)
        else:
            self._hang_up()

    def _ping(self) -> None:
        state, policy = self._state, self._state.policy
        silent_since = state.last_heard or self._now
        if state.stage is not Stage.LIVE or self._now - silent_since < policy.ping_after:
            soon = self._now + MIN_BETWEEN_HEALTH_CHECKS
            state.timers.set(Timer.PING, max(silent_since + policy.ping_after, soon))
            return
        self._write(state.requests.health_check())
        state.timers.set(Timer.PING, self._now + policy.ping_after)
        state.timers.set(Timer.PONG, self._now + policy.pong_patience)

    def _told(self) -> list[Action]:
        """Do what has become possible, and hand over what there is to do and to tell."""
        state = self._state
        if state.stage is LIVE:
            if state.outbox.to_write:
                self._flow()
            self._watch_echoes()
            if not state.outbox.in_flight:
                self._finish()
        told, state.told = state.told, []
        return told

    def _finish(self) -> None:
        """Once nothing is in flight: end, leave or renew the connection, if that is wanted."""
        state = self._state
        if state.recovery is not None and state.recovery.blocking:
            return
        if state.ending and not len(state.outbox) and not state.close_id:
            held = self._now + (state.pace.held(self._now) or timedelta(0))
            not_before = max(held, state.close_not_before or held)
            if not_before > self._now:
                state.timers.set(Timer.PACE, not_before)
                return
            state.close_id = self._new_id()
            self._write(state.requests.close_session(state.close_id))
        elif (state.draining or state.finishing) and not len(state.outbox):
            self._leave(LeaveReason.DRAINED)
        elif self._wants_renewal and not state.close_id:
            self._renew_connection()

    @property
    def _wants_renewal(self) -> bool:
        """Say whether the connection is due, and idle or so old that it must not wait."""
        state = self._state
        if state.timers.is_set(_RENEW) or state.connected_at is None or state.stepping_up:
            return False
        return self._is_old or not len(state.outbox)

"""What travels on an upstream: messages out, echoes and events in, and the gap after a cut."""

import logging
from datetime import timedelta
from typing import Final

from bff.guests.upstream_frames import (
    HEALTH_CHECK_ID,
    INBOUND,
    Code,
    Envelope,
    HistoryPage,
    Payload,
    Refusal,
    read_refusal,
    read_said,
    read_session,
    read_text,
)
from bff.guests.upstream_link import UpstreamLink
from bff.guests.upstream_news import (
    AskHistory,
    Delivered,
    EndReason,
    Event,
    Failed,
    FailureCode,
    LeaveReason,
)
from bff.guests.upstream_outbox import Item
from bff.guests.upstream_recovery import Recovery, RecoveryStage
from bff.guests.upstream_state import LIVE, Stage
from bff.guests.upstream_timers import Timer

log = logging.getLogger(__name__)

MAX_RECENT_EVENTS: Final = 16
TRY_AGAIN: Final = timedelta(seconds=5)
# Where Genesys says that it was too early, and not for how long.
TOO_EARLY: Final = timedelta(seconds=1)
_ECHO: Final = Timer.ECHO


class UpstreamTraffic(UpstreamLink):
    """Everything about messages; nobody is asked twice and nothing is told twice."""

    __slots__ = ()

    # Out

    def _accept(self, payload: Payload, tracing_id: str) -> None:
        state = self._state
        if state.memory.has_heard(payload.mark) and not payload.is_event:
            # The page sends again what it never saw delivered; Genesys has it already.
            self._tell(Delivered(tracing_id=tracing_id))
        elif payload.is_typing:
            self._write_typing(payload, tracing_id)
        elif state.outbox.has_already(payload, tracing_id):
            return
        elif not state.outbox.put(payload, tracing_id):
            self._fail(tracing_id, FailureCode.TOO_MANY_WAITING, retry_after=TRY_AGAIN)

    def _write_typing(self, payload: Payload, tracing_id: str) -> None:
        # That somebody typed a while ago is no news: it never waits, and nothing waits for it.
        pace, outbox = self._state.pace, self._state.outbox
        if not self._may_write or outbox.to_write or not pace.spares(self._now):
            return
        if pace.wait(self._now, in_flight=outbox.in_flight) is None:
            self._write_event(payload, tracing_id, None)

    def _write_event(self, payload: Payload, tracing_id: str, item: Item | None) -> None:
        recent = self._state.recent_events
        recent[tracing_id] = item
        while len(recent) > MAX_RECENT_EVENTS:
            del recent[next(iter(recent))]
        self._write(self._state.requests.message(tracing_id, payload.message))

    def _flow(self) -> None:
        """Write what may be written now."""
        state, outbox = self._state, self._state.outbox
        if not self._may_write:
            return
        while outbox.to_write and (item := outbox.next_waiting()) is not None:
            wait = state.pace.wait(self._now, in_flight=outbox.in_flight)
            if wait is not None:
                state.timers.set(Timer.PACE, self._now + wait)
                return
            self._write_item(item)

    def _write_item(self, item: Item) -> None:
        state, payload = self._state, item.payload
        if payload.is_event:
            self._write_event(payload, item.tracing_id, item)
        else:
            self._write(state.requests.message(item.names[0], payload.message))
        state.outbox.written(item, at=self._now, seen=state.memory.latest)

    @property
    def _may_write(self) -> bool:
        state = self._state
        blocked = state.recovery is not None and state.recovery.blocking
        return state.stage is LIVE and not blocked and not self._is_old

    @property
    def _is_old(self) -> bool:
        """Say whether the connection is so old that it is only waited for the last echoes."""
        state = self._state
        born = state.connected_at
        return born is not None and self._now - born >= state.policy.renew_at_the_latest

    def _watch_echoes(self) -> None:
        state = self._state
        oldest = state.outbox.oldest_written()
        if oldest is state.echo_awaited_since:
            return
        state.echo_awaited_since = oldest
        if oldest is None:
            state.timers.drop(_ECHO)
        else:
            state.timers.set(_ECHO, oldest + state.policy.echo_patience)

    def _fail(
        self, tracing_id: str, code: FailureCode, *, retry_after: timedelta | None = None
    ) -> None:
        self._tell(Failed(tracing_id=tracing_id, code=code, retry_after=retry_after))

    # In

    def _take(self, frame: Envelope) -> None:
        """Act on one frame of Genesys."""
        match frame.name:
            case "SessionResponse":
                self._session_answered(frame)
            case "string" | "ErrorMessage" | "TooManyRequestsErrorMessage" | "GenerateUrlError":
                self._refused(frame, read_refusal(frame))
            case "JwtResponse":
                self._history_jwt(frame)
            case "ConnectionClosedEvent" if read_text(frame.body, "reason") == "signedIn":
                self._end(EndReason.SIGNED_IN_ELSEWHERE)
            case "ConnectionClosedEvent":
                self._leave(LeaveReason.DISPLACED)
            case "LogoutEvent":
                self._end(EndReason.LOGGED_OUT)
            case "SessionExpiredEvent":
                self._end(EndReason.EXPIRED)
            case "SessionClearedEvent":
                self._end(EndReason.ENDED if self._state.ending else EndReason.CLEARED)
            case _:
                log.info("upstream: a frame of class %.40r is not for us", frame.name)

    def _heard(self, frame: Envelope) -> None:
        state = self._state
        if frame.tracing_id == HEALTH_CHECK_ID:
            return
        said = read_said(frame.body)
        if said is None:
            log.info("upstream: a message that cannot be read")
            return
        item = state.outbox.find(frame.tracing_id, said) if said.direction == INBOUND else None
        known = state.memory.note(said)
        if item is not None:
            self._delivered(item, bytes(frame.body))
        elif not known:
            self._tell(Event(body=bytes(frame.body)))
        if said.events and said.ends_conversation:
            self._end(EndReason.ENDED if state.ending else EndReason.CONVERSATION_OVER)

    def _delivered(self, item: Item, body: bytes) -> None:
        self._state.memory.note_mark(item.payload.mark)
        self._state.pace.arrived(self._now)
        for name in self._state.outbox.settle(item):
            self._tell(Delivered(tracing_id=name, body=body))

    def _session_answered(self, frame: Envelope) -> None:
        state, session = self._state, read_session(frame.body)
        if state.close_id and frame.tracing_id == state.close_id:
            self._end(EndReason.ENDED)
            return
        ours = frame.tracing_id in {None, state.configure_id}
        if state.stage is not Stage.CONFIGURING or not ours or session is None:
            log.info("upstream: a SessionResponse that nobody waits for")
            return
        if session.read_only or not session.connected:
            self._end(EndReason.ENDED if state.ending else EndReason.READ_ONLY)
            return
        same_socket = state.configured
        self._now_live(session)
        if same_socket:
            return
        if session.new_session:
            # What was doubtful was said in a session of which nothing is left to read.
            self._give_up_doubtful()
            state.gap_after = None
        else:
            self._recover()

    def _refused(self, frame: Envelope, refusal: Refusal) -> None:
        state = self._state
        if refusal.code is Code.SESSION_EXPIRED:
            self._end(EndReason.EXPIRED)
        elif refusal.code is Code.SESSION_NOT_FOUND:
            self._end(EndReason.NOT_FOUND)
        elif state.stage is Stage.CONFIGURING and frame.tracing_id in {None, state.configure_id}:
            self._configure_refused(refusal)
        elif frame.tracing_id == HEALTH_CHECK_ID:
            log.info("upstream: a health check refused with %d", refusal.number)
        elif refusal.code is Code.TOO_FAST:
            self._too_early(frame.tracing_id, refusal)
        elif state.close_id and frame.tracing_id == state.close_id:
            self._end(EndReason.ENDED)
        elif state.recovery is not None and frame.tracing_id == state.recovery.request_id:
            self._history_missing()
        else:
            self._message_refused(frame.tracing_id, refusal)

    def _message_refused(self, tracing_id: str | None, refusal: Refusal) -> None:
        state = self._state
        item = state.outbox.find(tracing_id)
        if item is not None:
            state.pace.arrived(self._now)
            self._tell_fates(
                state.outbox.give_up(item, _failure(refusal)), retry_after=refusal.retry_after
            )
        elif tracing_id is not None and tracing_id in state.recent_events:
            self._fail(tracing_id, _failure(refusal), retry_after=refusal.retry_after)
        else:
            log.info("upstream: a refusal with %d of nothing we wait for", refusal.number)

    def _too_early(self, tracing_id: str | None, refusal: Refusal) -> None:
        """Genesys surely did not take it: it is said again, when Genesys wants it."""
        state, outbox = self._state, self._state.outbox
        wait = refusal.retry_after or TOO_EARLY
        name = tracing_id or ""
        if name in state.recent_events and state.recent_events[name] is None:
            # Typing is counted apart: that somebody typed too often holds no message back.
            self._fail(name, FailureCode.RATE_LIMITED, retry_after=wait)
            return
        log.info("upstream: too early, by %s", wait)
        state.pace.hold(self._now + wait)
        item = outbox.find(tracing_id)
        event = state.recent_events.pop(name, None)
        if item is not None:
            state.pace.arrived(self._now)
            if outbox.put_back(item, at=self._now) >= state.policy.give_up_after:
                self._leave(LeaveReason.UNREACHABLE)
        elif event is not None:
            if not outbox.put_first(event):
                self._fail(name, FailureCode.RATE_LIMITED, retry_after=wait)
        elif state.close_id and name == state.close_id:
            state.close_id = ""
        elif state.recovery is not None and name == state.recovery.request_id:
            self._history_too_early(state.recovery, wait)
        elif tracing_id is None and outbox.in_flight:
            # Of what, is not said: the history knows whether it was the message.
            outbox.excuse()
            self._hang_up(at_least=wait)

    def _history_too_early(self, recovery: Recovery, wait: timedelta) -> None:
        if recovery.bear():
            self._state.timers.set(Timer.HISTORY, self._now + wait)
        else:
            self._history_missing()

    # The gap

    def _recover(self) -> None:
        state = self._state
        doubtful = bool(state.outbox.unsure())
        state.recovery = Recovery(
            policy=state.policy,
            # A session that was there before may have heard what a page now sends again.
            blocking=doubtful or state.gap_after is None,
            gap_after=state.gap_after,
        )
        settle = state.policy.settle if doubtful else timedelta(0)
        if settle:
            state.timers.set(Timer.HISTORY, self._now + settle)
        else:
            self._ask_history_jwt(state.recovery)

    def _recovery_due(self) -> None:
        recovery = self._state.recovery
        if recovery is None:
            return
        match recovery.stage:
            case RecoveryStage.SETTLING:
                self._ask_history_jwt(recovery)
            case RecoveryStage.JWT | RecoveryStage.PAGE:
                self._history_missing()

    def _ask_history_jwt(self, recovery: Recovery) -> None:
        state = self._state
        recovery.stage = RecoveryStage.JWT
        recovery.request_id = self._new_id()
        state.timers.set(Timer.HISTORY, self._now + state.policy.history_patience)
        self._write(state.requests.history_jwt(recovery.request_id))

    def _history_jwt(self, frame: Envelope) -> None:
        recovery = self._state.recovery
        if recovery is None or recovery.stage is not RecoveryStage.JWT:
            return
        jwt = read_text(frame.body, "jwt")
        if jwt is None:
            self._history_missing()
            return
        recovery.jwt = jwt
        self._ask_page(recovery)

    def _ask_page(self, recovery: Recovery) -> None:
        recovery.stage = RecoveryStage.PAGE
        self._state.timers.set(Timer.HISTORY, self._now + self._state.policy.history_patience)
        self._tell(AskHistory(jwt=recovery.jwt, page=recovery.page))

    def _history_page(self, page: HistoryPage | None) -> None:
        state, recovery = self._state, self._state.recovery
        if recovery is None or recovery.stage is not RecoveryStage.PAGE:
            return
        if page is None:
            self._history_missing()
        elif recovery.add(page, outbox=state.outbox, memory=state.memory):
            self._ask_page(recovery)
        else:
            self._conclude(recovery)

    def _history_missing(self) -> None:
        """Try again a little later; in the end nobody knows what became of the doubtful ones."""
        state, recovery = self._state, self._state.recovery
        if recovery is None:
            return
        if not recovery.start_again():
            log.warning("upstream: the history cannot be read")
            self._over_with_recovery()
            return
        wait = state.policy.back_off_step * state.redial.fraction()
        if not recovery.is_urgent:
            recovery.blocking = False
            self._give_up_doubtful()
            wait = state.policy.history_leisure
        state.timers.set(Timer.HISTORY, self._now + wait)

    def _conclude(self, recovery: Recovery) -> None:
        state = self._state
        verdict = recovery.verdict(outbox=state.outbox, memory=state.memory)
        self._over_with_recovery()
        state.gap_after = None
        for item, entry in verdict.heard:
            state.memory.note(entry.said)
            self._delivered(item, entry.raw)
        for item in verdict.not_heard:
            self._tell_fates(state.outbox.not_heard(item))
        for item in verdict.unknown:
            self._give_up_doubtful_one(item)
        for entry in verdict.missed:
            state.memory.note(entry.said)
            self._tell(Event(body=entry.raw, from_history=True))

    def _over_with_recovery(self) -> None:
        self._state.recovery = None
        self._state.timers.drop(Timer.HISTORY)

    def _give_up_doubtful(self) -> None:
        for item in self._state.outbox.unsure():
            self._give_up_doubtful_one(item)

    def _give_up_doubtful_one(self, item: Item) -> None:
        self._state.memory.note_riddle(item.payload.text)
        self._tell_fates(self._state.outbox.give_up(item, FailureCode.OUTCOME_UNKNOWN))


def _failure(refusal: Refusal) -> FailureCode:
    match refusal.code:
        case Code.TOO_FAST:
            return FailureCode.RATE_LIMITED
        case Code.MESSAGE_TOO_LONG:
            return FailureCode.TEXT_TOO_LONG
        case Code.ATTRIBUTES_TOO_LARGE:
            return FailureCode.ATTRIBUTES_TOO_LARGE
        case Code.READ_ONLY:
            return FailureCode.READ_ONLY
        case _:
            return FailureCode.REFUSED

"""The connection of an upstream: dialling, signing on, losing it, coming back, stopping."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Final

from bff.guests.upstream_frames import Refusal, Requests, Session, socket_path
from bff.guests.upstream_news import (
    Action,
    AskJwt,
    Connect,
    Disconnect,
    Ended,
    EndReason,
    Failed,
    FailureCode,
    LeaveReason,
    Left,
    Paused,
    Ready,
    Resumed,
    SteppedUp,
    StepUpFailed,
    Write,
)
from bff.guests.upstream_outbox import Fate, Outbox, WritePace
from bff.guests.upstream_policy import Redial, UpstreamPolicy
from bff.guests.upstream_sign_on import NextStep, SignOn
from bff.guests.upstream_state import Stage, UpstreamState
from bff.guests.upstream_timers import Timer
from bff.ports import Clock, Entropy

log = logging.getLogger(__name__)

GOODBYE: Final = 1000
GOING_AWAY: Final = 1001
NOW: Final = timedelta(0)


class UpstreamLink:
    """Everything about the connection; what travels on it is the business of UpstreamTraffic."""

    # `_now` is the time of the call that is being answered: the clock is read once for each.
    __slots__ = ("_clock", "_entropy", "_now", "_state")

    def __init__(  # noqa: PLR0913 - who it is, and what it may not take from anywhere itself
        self,
        *,
        token: str,
        deployment_id: str,
        application: str,
        clock: Clock,
        entropy: Entropy,
        authenticated: bool = False,
        policy: UpstreamPolicy | None = None,
    ) -> None:
        chosen = policy or UpstreamPolicy()
        self._clock = clock
        self._entropy = entropy
        self._now: datetime = clock.now()
        self._state = UpstreamState(
            policy=chosen,
            path=socket_path(deployment_id=deployment_id, application=application),
            requests=Requests(token=token, deployment_id=deployment_id),
            redial=Redial(chosen, entropy),
            outbox=Outbox(chosen),
            pace=WritePace(chosen),
            authenticated=authenticated,
        )

    def _tell(self, action: Action) -> None:
        self._state.told.append(action)

    def _tell_fates(self, fates: list[Fate], *, retry_after: timedelta | None = None) -> None:
        for fate in fates:
            self._tell(Failed(tracing_id=fate.tracing_id, code=fate.code, retry_after=retry_after))

    def _write(self, text: bytes) -> None:
        self._state.pace.count(self._now)
        self._tell(Write(text=text))

    def _new_id(self) -> str:
        return str(uuid.UUID(bytes=self._entropy.bytes(16), version=4))

    # Coming

    def _dial(self, after: timedelta) -> None:
        state = self._state
        state.stage = Stage.DIALLING
        state.timers.set(Timer.REACH, self._now + after + state.policy.connect_patience)
        self._tell(Connect(after=after, path=state.path))

    def _begin_configuring(self) -> None:
        state = self._state
        state.connected_at = self._now
        state.pace.new_connection()
        self._sign_on()

    def _sign_on(self) -> None:
        state = self._state
        state.sign_on = SignOn(authenticated=state.authenticated)
        if state.authenticated:
            self._ask_jwt(refresh=False)
        else:
            self._configure(None)

    def _ask_jwt(self, *, refresh: bool) -> None:
        state = self._state
        state.jwt_awaited = True
        # On a live socket the conversation goes on while somebody exchanges a code.
        live = state.configured
        state.stage = Stage.LIVE if live else Stage.AWAITING_JWT
        state.timers.drop(Timer.REACH)
        timer = Timer.STEP_UP if live else Timer.REACH
        state.timers.set(timer, self._now + state.policy.jwt_patience)
        self._tell(AskJwt(refresh=refresh))

    def _configure(self, jwt: str | None) -> None:
        state = self._state
        state.jwt_awaited = False
        state.stage = Stage.CONFIGURING
        state.configure_id = self._new_id()
        state.timers.drop(Timer.STEP_UP)
        state.timers.set(Timer.REACH, self._now + state.policy.configure_patience)
        self._write(state.requests.configure(state.configure_id, jwt=jwt))

    def _configure_refused(self, refusal: Refusal) -> None:
        log.info("upstream: configure refused with %d", refusal.number)
        step = self._state.sign_on.refused(refusal)
        if step is NextStep.FRESH_JWT:
            self._ask_jwt(refresh=True)
        elif step is NextStep.LATER:
            self._hang_up(at_least=refusal.retry_after or NOW)
        elif self._state.stepping_up and step is not EndReason.CANNOT_DOWNGRADE:
            self._step_up_failed(refused=True)
        else:
            self._end(EndReason(step))

    def _jwt_missing(self, *, refused: bool) -> None:
        state = self._state
        state.jwt_awaited = False
        if state.stepping_up:
            self._step_up_failed(refused=refused)
        elif refused:
            self._end(EndReason.SIGN_IN_REFUSED)
        else:
            self._hang_up()

    def _step_up_failed(self, *, refused: bool) -> None:
        """Go on as before: on a new socket that means to configure it anonymously."""
        state = self._state
        state.stepping_up = state.authenticated = state.jwt_awaited = False
        state.timers.drop(Timer.STEP_UP)
        self._tell(StepUpFailed(refused=refused))
        if state.configured:
            state.stage = Stage.LIVE
            state.timers.drop(Timer.REACH)
        elif state.stage in {Stage.AWAITING_JWT, Stage.CONFIGURING}:
            self._sign_on()

    def _now_live(self, session: Session) -> None:
        """Note that a socket is configured, and tell who waits for it."""
        state = self._state
        first, renewed = not state.was_ready, not state.configured
        state.stage = Stage.LIVE
        state.configured = state.was_ready = True
        state.lost_at = None
        state.timers.drop(Timer.REACH)
        if renewed:
            self._set_clocks_of_connection()
        if first:
            as_person = state.sign_on.authenticated
            self._tell(Ready(new_session=session.new_session, authenticated=as_person))
        elif state.paused:
            self._tell(Resumed(history_wanted=not session.new_session))
        state.paused = False
        if state.stepping_up and state.sign_on.authenticated:
            state.stepping_up = False
            self._tell(SteppedUp(cleared_existing=session.cleared_existing_session))
        elif state.stepping_up:
            # The person signed in while the anonymous form was on its way.
            self._sign_on()

    def _set_clocks_of_connection(self) -> None:
        state, policy = self._state, self._state.policy
        born = state.connected_at or self._now
        early = policy.renewal_spread * state.redial.fraction()
        state.timers.set(Timer.RENEW, born + policy.renew_after - early)
        state.timers.set(Timer.PING, self._now + policy.ping_after)

    # Losing it

    def _hang_up(self, *, at_least: timedelta = NOW) -> None:
        """Give up this connection, not the session."""
        self._tell(Disconnect(code=GOODBYE))
        self._lost(at_least=at_least)

    def _lost(self, *, at_least: timedelta = NOW) -> None:
        """Come back later, with the same token; what was written and not echoed is in doubt."""
        state, now = self._state, self._now
        self._forget_connection()
        if state.draining:
            self._leave(LeaveReason.DRAINED)
            return
        state.lost_at = state.lost_at or now
        if state.was_ready and not state.paused:
            state.paused = True
            self._tell(Paused())
        wait = max(state.redial.wait(), at_least)
        if now + wait > state.lost_at + state.policy.give_up_after:
            self._leave(LeaveReason.UNREACHABLE)
            return
        self._dial(wait)

    def _renew_connection(self) -> None:
        """Come back at once, before Genesys cuts. The page need not know."""
        self._tell(Disconnect(code=GOODBYE))
        self._forget_connection()
        self._state.lost_at = self._now
        self._dial(NOW)

    def _forget_connection(self) -> None:
        state = self._state
        held = self._now - (state.connected_at or self._now)
        if state.configured and held >= state.policy.steady_after:
            state.redial.start_over()
        for _ in range(state.outbox.in_flight):
            state.pace.arrived(self._now)
        state.outbox.connection_lost()
        if state.was_ready and state.gap_after is None:
            state.gap_after = state.memory.latest
        state.configured = state.jwt_awaited = False
        state.connected_at = None
        state.recovery = None
        state.close_id = ""
        state.recent_events.clear()
        state.timers.keep_only(Timer.END, Timer.DRAIN)

    # Stopping

    def _end(self, reason: EndReason) -> None:
        self._tell_fates(self._state.outbox.give_up_all(FailureCode.SESSION_OVER))
        self._stop(GOODBYE)
        self._tell(Ended(reason=reason))

    def _leave(self, reason: LeaveReason) -> None:
        self._tell_fates(self._state.outbox.give_up_all(FailureCode.NOT_REACHED))
        self._stop(GOING_AWAY)
        self._tell(Left(reason=reason))

    def _stop(self, code: int) -> None:
        state = self._state
        state.stage = Stage.OVER
        state.jwt_awaited = False
        state.recovery = None
        state.timers.keep_only()
        self._tell(Disconnect(code=code))

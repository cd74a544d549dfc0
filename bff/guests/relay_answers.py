"""What came of a relay's tasks, taken up: the session, the person, the JWT, the history."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from bff.guests.conversation_acts import (
    Ended,
    Extended,
    Opened,
    OpeningRefused,
    PersonSignedIn,
    StepUpFailed,
)
from bff.guests.guest_news import news_of_guest
from bff.guests.guest_tasks import (
    EndGuest,
    GuestExtended,
    GuestForgotten,
    GuestGone,
    GuestNotOpened,
    GuestNotOwned,
    GuestOpened,
    GuestOwned,
    GuestStillThere,
    HistoryHere,
    JwtHere,
    LookAgain,
    NobodyKnows,
    NoHistory,
    NoJwt,
)
from bff.guests.relay_joint import RelayJoint
from bff.guests.upstream import Upstream

log = logging.getLogger(__name__)

LOOK_AGAIN_AFTER: Final = timedelta(seconds=5)

_Work: TypeAlias = Callable[[Any, Any], None]


class RelayAnswers(RelayJoint):
    """One method for each kind of answer."""

    __slots__ = ()

    def _look_again(self) -> None:
        self._look_at = None
        if self._open is not None:
            key = self._open.session_key
            self._ask(LookAgain(session_id=self._open.session_id, session_key=key))

    def _opened(self, answer: GuestOpened) -> None:
        if not self._page_here:
            return
        self._open = answer
        self._do(
            self._conversation.hear(
                Opened(
                    guest_id=answer.guest_id,
                    encrypted_session_id=answer.encrypted_session_id,
                    expires_at=answer.expires_at,
                    resumed=answer.resumed,
                    profile=answer.profile,
                    pace=self._plan.pace(),
                    person=answer.owner,
                )
            )
        )
        self._reach_genesys(answer)
        self._hands.watch(news_of_guest(answer.guest_id))
        if answer.session_key is not None:
            self._hands.watch(answer.session_key)
        self._look_again()  # for an end between the desk's look and the watch
        if answer.owner is None and answer.person is not None:
            self._do(self._conversation.hear(PersonSignedIn(person=answer.person)))

    def _reach_genesys(self, answer: GuestOpened) -> None:
        self._upstream = Upstream(
            token=answer.genesys_token,
            deployment_id=self._plan.deployment_id,
            application=self._plan.application,
            clock=self._plan.clock,
            entropy=self._plan.entropy,
            authenticated=answer.owner is not None,
            policy=self._plan.upstream,
        )
        self._hear(self._upstream.start())

    def _not_opened(self, answer: GuestNotOpened) -> None:
        self._init_by = self._plan.clock.now() + self._plan.init_patience
        if answer.retry_after is not None:
            self._init_by += answer.retry_after
        refused = OpeningRefused(code=answer.code, retry_after=answer.retry_after)
        self._do(self._conversation.hear(refused))

    def _extended(self, answer: GuestExtended) -> None:
        self._do(
            self._conversation.hear(
                Extended(
                    encrypted_session_id=answer.encrypted_session_id, expires_at=answer.expires_at
                )
            )
        )

    def _owned(self, _: GuestOwned) -> None:
        if self._upstream is not None:
            self._hear(self._upstream.step_up())

    def _not_owned(self, answer: GuestNotOwned) -> None:
        self._do(self._conversation.hear(StepUpFailed(retry_after=answer.retry_after)))

    def _gone(self, answer: GuestGone) -> None:
        self._do(self._conversation.hear(Ended(reason=answer.reason)))

    def _still_there(self, answer: GuestStillThere) -> None:
        self._look_at = answer.signed_in_until

    def _nobody_knows(self, answer: NobodyKnows) -> None:
        again_at = self._plan.clock.now() + max(answer.retry_after, LOOK_AGAIN_AFTER)
        if isinstance(answer.task, LookAgain):
            self._look_at = again_at
        elif isinstance(answer.task, EndGuest) and self._draining:
            log.error("a guest session could not be ended before this process left")
        elif isinstance(answer.task, EndGuest):
            self._end_again = (again_at, answer.task)

    def _jwt_here(self, answer: JwtHere) -> None:
        self._jwt = answer.jwt
        if self._upstream is not None:
            self._hear(self._upstream.jwt_ready(answer.jwt))

    def _no_jwt(self, answer: NoJwt) -> None:
        if self._upstream is not None:
            self._hear(self._upstream.jwt_failed(refused=answer.refused))

    def _history_here(self, answer: HistoryHere) -> None:
        if self._upstream is not None:
            self._hear(self._upstream.history(answer.body))

    def _no_history(self, _: NoHistory) -> None:
        if self._upstream is not None:
            self._hear(self._upstream.history_failed())

    def _forgotten(self, _: GuestForgotten) -> None:
        log.debug("guest session is forgotten")

    _ANSWERS: ClassVar[Mapping[type[Any], _Work]] = MappingProxyType(
        {
            GuestOpened: _opened,
            GuestNotOpened: _not_opened,
            GuestExtended: _extended,
            GuestOwned: _owned,
            GuestNotOwned: _not_owned,
            GuestGone: _gone,
            GuestStillThere: _still_there,
            NobodyKnows: _nobody_knows,
            JwtHere: _jwt_here,
            NoJwt: _no_jwt,
            HistoryHere: _history_here,
            NoHistory: _no_history,
            GuestForgotten: _forgotten,
        }
    )

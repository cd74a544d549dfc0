"""Where a page's conversation and its session at Genesys are joined: each one's wishes, done.

The `Conversation` knows the page's rules and the `Upstream` those of Genesys; neither knows of
the other. What one of them wants done is handed on here: to the other, to the desk (whatever may
block), or to the shell's hands.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from msgspec import Raw

from bff.guests import upstream_news as genesys
from bff.guests.conversation import Conversation
from bff.guests.conversation_acts import (
    Act,
    CloseConnection,
    Delivered,
    Ended,
    EndSession,
    EventCame,
    ExtendSession,
    NoMoreFates,
    NotDelivered,
    OpenSession,
    Paused,
    Resumed,
    SendUpstream,
    SteppedUp,
    StepUp,
    StepUpFailed,
)
from bff.guests.conversation_stages import Stage as PageStage
from bff.guests.frames import ServerFrame, SessionEnded
from bff.guests.guest_tasks import (
    EndGuest,
    ExtendGuest,
    FetchHistory,
    FetchJwt,
    GuestOpened,
    OpenGuest,
    OwnGuest,
    Task,
)
from bff.guests.relay_hands import Hands, Visitor
from bff.guests.relay_plan import RelayPlan
from bff.guests.relay_words import END_OF, FAILURE_OF, FAREWELL_OF, Farewell

if TYPE_CHECKING:
    from bff.guests.upstream import Upstream

log = logging.getLogger(__name__)

STEP_UP_AGAIN_AFTER: Final = timedelta(seconds=5)

_ENDS: Final = frozenset({PageStage.ENDING, PageStage.OVER})

_Work: TypeAlias = Callable[[Any, Any], None]


class RelayJoint:
    """One connection of one page, and what there is of its session."""

    __slots__ = (
        "_conversation",
        "_draining",
        "_end_again",
        "_hands",
        "_heard",
        "_init_by",
        "_jwt",
        "_last_word_said",
        "_look_at",
        "_open",
        "_page_here",
        "_plan",
        "_tasks",
        "_upstream",
        "_visitor",
    )

    def __init__(self, plan: RelayPlan, hands: Hands, visitor: Visitor) -> None:
        self._plan = plan
        self._hands = hands
        self._visitor = visitor
        self._conversation = Conversation(
            clock=plan.clock, entropy=plan.entropy, scheme=plan.scheme, policy=plan.conversation
        )
        self._init_by: datetime = plan.clock.now() + plan.init_patience
        self._upstream: Upstream | None = None
        self._open: GuestOpened | None = None
        self._jwt: str | None = None
        self._look_at: datetime | None = None
        # Mostly empty, and never long: an empty deque takes ten times the memory of a list.
        self._heard: list[genesys.Action] = []
        self._tasks = 0
        self._page_here = True
        self._last_word_said = False
        self._draining = False
        # An end that could not be done, and when to try again: what was told must become true.
        self._end_again: tuple[datetime, EndGuest] | None = None

    def _ask(self, task: Task) -> None:
        self._tasks += 1
        self._hands.ask(task)

    def _leave_page(self, farewell: Farewell) -> None:
        if self._page_here:
            self._page_here = False
            self._hands.close_page(*farewell.value)

    def _page_left(self) -> None:
        """Nobody listens any more: what was accepted still goes to Genesys."""
        self._page_here = False
        # A session that has ended is being closed there, which is more than a drain.
        if self._upstream is not None and self._conversation.stage not in _ENDS:
            self._hear(self._upstream.finish())

    # What the page's side wants done

    def _do(self, acts: tuple[Act, ...]) -> None:
        # Frames first: a message is told accepted before anything can be told about its fate.
        intents = self._INTENTS
        wanted = 0
        for act in acts:
            if type(act) in intents:
                wanted += 1
            elif isinstance(act, ServerFrame) and self._page_here and not self._last_word_said:
                # The only way to the page: nothing gets past `session_ended`, whoever says it.
                self._last_word_said = type(act) is SessionEnded
                self._hands.to_page(act.spell())
        if not wanted:
            return
        for act in acts:
            work = intents.get(type(act))
            if work is not None:
                work(self, act)

    def _open_session(self, wanted: OpenSession) -> None:
        visitor = self._visitor
        self._ask(
            OpenGuest(
                address=visitor.address,
                browser_secret=visitor.browser_secret,
                session_token=visitor.session_token,
                device_id=wanted.device_id,
                profile=wanted.profile,
                encrypted_session_id=wanted.encrypted_session_id,
            )
        )

    def _send(self, message: SendUpstream) -> None:
        if self._upstream is not None:
            self._hear(self._upstream.send(message.payload, message.tracing_id))

    def _extend(self, _: ExtendSession) -> None:
        if self._open is not None:
            self._ask(ExtendGuest(session_id=self._open.session_id))

    def _step_up(self, wanted: StepUp) -> None:
        # First the binding, then Genesys: a step that fails halfway leaves it to the person.
        if self._open is not None:
            self._ask(
                OwnGuest(
                    session_id=self._open.session_id,
                    person=wanted.person,
                    session_key=self._open.session_key,
                )
            )

    def _end(self, ended: EndSession) -> None:
        if self._open is not None:
            self._ask(
                EndGuest(
                    session_id=self._open.session_id,
                    session_key=self._open.session_key,
                    reason=ended.reason,
                    guest_id=self._open.guest_id,
                )
            )
        if self._upstream is not None:
            grace = self._plan.conversation.last_fates if ended.elsewhere else timedelta(0)
            self._hear(self._upstream.end(after=grace))
        if self._page_here and not ended.waits:
            self._page_here = False
            self._hands.close_page(Farewell.ENDED.value[0], ended.reason)

    def _close(self, wanted: CloseConnection) -> None:
        if self._page_here:
            self._hands.close_page(wanted.code, wanted.reason)
            self._page_left()

    # What Genesys' side wants done

    def _hear(self, actions: list[genesys.Action]) -> None:
        """Do everything in the order in which it was said, also what comes up on the way."""
        if not actions:
            return
        if self._comes_back(actions[-1]):
            # The page says these again: they have not failed yet.
            actions = [action for action in actions if type(action) is not genesys.Failed]
        heard = self._heard
        if heard:
            # Somebody is at it: what is in the queue is done before this.
            heard.extend(actions)
            return
        heard.extend(actions)
        news = self._NEWS
        while heard:
            # It stays in the queue while it is worked on: who hears more meanwhile queues up.
            action = heard[0]
            news[type(action)](self, action)
            del heard[0]

    def _comes_back(self, action: genesys.Action) -> bool:
        """Say whether the page is sent away to go on elsewhere, or a little later."""
        if type(action) is not genesys.Left or action.reason is genesys.LeaveReason.DISPLACED:
            return False
        return self._conversation.stage not in _ENDS

    def _dial(self, wanted: genesys.Connect) -> None:
        if wanted.after:
            # Also before Genesys was reached for the first time: the page has a session by now.
            self._do(self._conversation.hear(Paused()))
        self._hands.dial(wanted.path, after=wanted.after)

    def _write(self, wanted: genesys.Write) -> None:
        self._hands.to_genesys(wanted.text)

    def _hang_up(self, wanted: genesys.Disconnect) -> None:
        self._hands.hang_up(wanted.code)

    def _want_jwt(self, wanted: genesys.AskJwt) -> None:
        key = self._open.session_key if self._open else None
        if key is not None:
            refused = self._jwt if wanted.refresh else None
            self._ask(FetchJwt(session_key=key, refused=refused))
        elif self._upstream is not None:
            self._hear(self._upstream.jwt_failed(refused=True))

    def _want_history(self, wanted: genesys.AskHistory) -> None:
        self._ask(FetchHistory(jwt=wanted.jwt, page=wanted.page))

    def _ready(self, _: genesys.Ready) -> None:
        self._do(self._conversation.hear(Resumed()))

    def _paused(self, _: genesys.Paused) -> None:
        self._do(self._conversation.hear(Paused()))

    def _resumed(self, _: genesys.Resumed) -> None:
        self._do(self._conversation.hear(Resumed()))

    def _delivered(self, news: genesys.Delivered) -> None:
        body = None if news.body is None else Raw(news.body)
        self._do(self._conversation.hear(Delivered(tracing_id=news.tracing_id, body=body)))

    def _failed(self, news: genesys.Failed) -> None:
        code = FAILURE_OF[news.code]
        self._do(self._conversation.hear(NotDelivered(tracing_id=news.tracing_id, code=code)))

    def _event(self, news: genesys.Event) -> None:
        self._do(self._conversation.hear(EventCame(body=Raw(news.body))))

    def _stepped_up(self, _: genesys.SteppedUp) -> None:
        if self._open is not None and self._open.person is not None:
            self._do(self._conversation.hear(SteppedUp(person=self._open.person)))

    def _step_up_failed(self, news: genesys.StepUpFailed) -> None:
        wait = None if news.refused else STEP_UP_AGAIN_AFTER
        self._do(self._conversation.hear(StepUpFailed(retry_after=wait)))

    def _ended(self, news: genesys.Ended) -> None:
        elsewhere = news.reason is genesys.EndReason.SIGNED_IN_ELSEWHERE
        if not elsewhere:
            self._do(self._conversation.hear(Ended(reason=END_OF[news.reason])))
        self._do(self._conversation.hear(NoMoreFates()))
        if elsewhere:
            # Another connection of this session has become the person's: so will the next here.
            self._leave_page(Farewell.COME_BACK)

    def _left(self, news: genesys.Left) -> None:
        self._do(self._conversation.hear(NoMoreFates()))
        self._leave_page(FAREWELL_OF[news.reason])

    _INTENTS: ClassVar[Mapping[type[Any], _Work]] = MappingProxyType(
        {
            OpenSession: _open_session,
            SendUpstream: _send,
            ExtendSession: _extend,
            StepUp: _step_up,
            EndSession: _end,
            CloseConnection: _close,
        }
    )
    _NEWS: ClassVar[Mapping[type[Any], _Work]] = MappingProxyType(
        {
            genesys.Connect: _dial,
            genesys.Write: _write,
            genesys.Disconnect: _hang_up,
            genesys.AskJwt: _want_jwt,
            genesys.AskHistory: _want_history,
            genesys.Ready: _ready,
            genesys.Paused: _paused,
            genesys.Resumed: _resumed,
            genesys.Delivered: _delivered,
            genesys.Failed: _failed,
            genesys.Event: _event,
            genesys.SteppedUp: _stepped_up,
            genesys.StepUpFailed: _step_up_failed,
            genesys.Ended: _ended,
            genesys.Left: _left,
        }
    )

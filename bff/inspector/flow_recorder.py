"""Writes down what the server does for browsers that are recorded; for others it does nothing."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bff.errors import BffError
from bff.flow_ports import Fact, FlowStep
from bff.inspector.flow_events import FlowEvent, salted
from bff.inspector.recordings import Recording, RecordingShelf
from bff.inspector.redaction import without_secrets
from bff.ports import Clock, SignInLedger

log = logging.getLogger(__name__)

SESSION: Final = "session"
CODE: Final = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRecorder:
    """Keeps `FlowWatch`. `asking` says which recording the request at hand belongs to, if any."""

    shelf: RecordingShelf
    clock: Clock
    asking: Callable[[], str | None]

    def note(
        self,
        step: FlowStep,
        *,
        session_key: str | None = None,
        code: str | None = None,
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        """Write down a step of a browser that is recorded."""
        try:
            head = self._recording(session_key, code)
            if head is not None:
                self._write(head, step, session_key=session_key, code=code, facts=facts or {})
        except BffError as error:
            # Looking on must not cost anybody their sign-in.
            log.warning("a step is not recorded: %s: %s", error.code, error.detail)

    def _recording(self, session_key: str | None, code: str | None) -> Recording | None:
        found = self.asking()
        if found is None and session_key is not None:
            found = self.shelf.pointed(SESSION, session_key)
        if found is None and code is not None:
            found = self.shelf.pointed(CODE, code)
        return None if found is None else self.shelf.look_up(found)

    def _write(
        self,
        head: Recording,
        step: FlowStep,
        *,
        session_key: str | None,
        code: str | None,
        facts: Mapping[str, Fact],
    ) -> None:
        known = {name: _plain(value) for name, value in facts.items() if value is not None}
        if session_key is not None and step is not FlowStep.SESSION_ENDED:
            self.shelf.point(SESSION, session_key, head.id)
        if code is not None:
            known["code"] = salted(code, salt=head.salt)
        if code is not None and step is FlowStep.CODE_MINTED:
            self.shelf.point(CODE, code, head.id)
        now = int(self.clock.now().timestamp() * 1000)
        person = known.get("person")
        event = FlowEvent(at_ms=now, step=step.value, facts=known)
        self.shelf.append(head.id, [event], person=None if person is None else str(person))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLedger:
    """Keeps `SignInLedger`: tells the ledger behind it, and the recorder."""

    behind: SignInLedger
    recorder: FlowRecorder
    tag: Callable[[str], str]

    def began(self, *, person: str, provider: str, session_key: str) -> None:
        """Somebody has signed in; the recording learns an opaque tag, not who."""
        self.behind.began(person=person, provider=provider, session_key=session_key)
        facts = {"provider": provider, "person": self.tag(person)[:8]}
        self.recorder.note(FlowStep.SIGN_IN_FINISHED, session_key=session_key, facts=facts)

    def failed(self, *, provider: str, code: str) -> None:
        """A sign-in came back without a session."""
        self.behind.failed(provider=provider, code=code)
        self.recorder.note(FlowStep.SIGN_IN_FAILED, facts={"provider": provider, "reason": code})

    def ended(
        self, *, person: str | None, provider: str, session_key: str, reason: str, by: str = ""
    ) -> bool:
        """A session is over. What the ledger does not keep is told again, and recorded then."""
        kept = self.behind.ended(
            person=person, provider=provider, session_key=session_key, reason=reason, by=by
        )
        if kept:
            self.recorder.note(
                FlowStep.SESSION_ENDED,
                session_key=session_key,
                facts={"provider": provider, "reason": reason},
            )
        return kept


def _plain(value: Fact) -> Fact:
    return without_secrets(value) if isinstance(value, str) else value

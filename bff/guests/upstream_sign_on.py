"""Configuring a session: what a refusal means, and how often to try again."""

from enum import StrEnum
from typing import Final

from bff.guests.upstream_frames import Code, Refusal
from bff.guests.upstream_news import EndReason

JWT_TRIES: Final = 3
SIGN_IN_TEXTS: Final = ("Session authentication failed", "Try to authenticate again")
UNKNOWN_FAULT: Final = 5000
_SERVER_FAULTS: Final = range(500, 600)


class NextStep(StrEnum):
    """What to do after a refusal, if the session is not over."""

    FRESH_JWT = "fresh_jwt"
    LATER = "later"


class SignOn:
    """One attempt to configure, over as many JWTs as it may take."""

    __slots__ = ("_forbidden", "_unauthorized", "authenticated")

    def __init__(self, *, authenticated: bool) -> None:
        self.authenticated = authenticated
        self._unauthorized = 0
        self._forbidden = 0

    def refused(self, refusal: Refusal) -> NextStep | EndReason:
        """Return the next step, or why it is over."""
        code = refusal.code
        if code is Code.UNAUTHORIZED and self.authenticated:
            # A 401 means an expired JWT: refresh and configure again, three times at most.
            self._unauthorized += 1
            return NextStep.FRESH_JWT if self._unauthorized <= JWT_TRIES else _REFUSED_PERSON
        if code is Code.FORBIDDEN and refusal.text.startswith(SIGN_IN_TEXTS):
            self._forbidden += 1
            again = self.authenticated and self._forbidden == 1
            return NextStep.FRESH_JWT if again else _REFUSED_PERSON
        if code is Code.CANNOT_DOWNGRADE:
            return EndReason.CANNOT_DOWNGRADE
        passing = refusal.number in _SERVER_FAULTS or refusal.number == UNKNOWN_FAULT
        return NextStep.LATER if code is Code.TOO_FAST or passing else EndReason.REFUSED


_REFUSED_PERSON: Final = EndReason.SIGN_IN_REFUSED

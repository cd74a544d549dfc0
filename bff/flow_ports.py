"""What the services tell the flow inspector, if there is one: steps and facts, never a secret."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

Fact: TypeAlias = str | int | bool | None


class FlowStep(StrEnum):
    """What the server did, in the order of a day."""

    SIGN_IN_STARTED = "sign_in_started"
    SIGN_IN_FINISHED = "sign_in_finished"
    SIGN_IN_FAILED = "sign_in_failed"
    TOKENS_KEPT = "tokens_kept"
    SESSION_ENDED = "session_ended"
    CODE_MINTED = "code_minted"
    CODE_REDEEMED = "code_redeemed"
    CODE_REFUSED = "code_refused"
    GENESYS_REFRESHED = "genesys_refreshed"
    GENESYS_REFRESH_REFUSED = "genesys_refresh_refused"
    PROVIDER_REFRESHED = "provider_refreshed"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_SILENT = "provider_silent"


class FlowWatch(Protocol):
    """Who watches how sign-ins flow. Nothing here raises, and nothing waits long."""

    def note(
        self,
        step: FlowStep,
        *,
        session_key: str | None = None,
        code: str | None = None,
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        """Write down a step. `code` is a `code_mark`, never the code itself."""


class NoWatch:
    """Keeps `FlowWatch` where nobody looks."""

    def note(
        self,
        step: FlowStep,
        *,
        session_key: str | None = None,
        code: str | None = None,
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        """Forget it."""


NO_WATCH: Final = NoWatch()


def code_mark(secret: str) -> str:
    """Return a one-way mark of a random code or token, by which it is known again.

    The recorder in the page makes the same mark; what is stored is salted once more.
    """
    return hashlib.sha256(b"messenger-inspector:" + secret.encode()).hexdigest()

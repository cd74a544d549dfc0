"""Calls of the platform API: the token, a second try after 401, patience, a deadline."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bff.errors import GenesysCredentialsError, GenesysDownError, GenesysSilentError
from bff.guests.back_off import BackOff, Patience
from bff.guests.platform_answers import said_yes
from bff.guests.platform_token import PlatformTokens
from bff.ports import Foundation, GenesysPlatform, PlatformRequest


class PlatformClient:
    """Asks the platform API in the name of the brand."""

    def __init__(
        self, foundation: Foundation, *, platform: GenesysPlatform, patience: Patience | None = None
    ) -> None:
        self._clock = foundation.clock
        self._platform = platform
        self._back_off = BackOff(
            patience or Patience(), clock=foundation.clock, entropy=foundation.entropy
        )
        self.tokens = PlatformTokens(foundation, platform=platform, back_off=self._back_off)

    def call(self, request: PlatformRequest, *, tries: int | None = None) -> Mapping[str, Any]:
        """Return the body of a successful answer, within the deadline of the patience.

        `tries` is how often Genesys is asked at most, if not as often as the patience says.

        Raises an error of the Genesys family. GenesysSilentError: a request that must not be
        made twice was made, and nobody knows what became of it.
        """
        deadline = self._clock.now() + self._back_off.patience.deadline
        token = self.tokens.current(deadline=deadline)
        try:
            return self._insist(request, token, deadline, tries)
        except GenesysCredentialsError:
            self.tokens.drop(token)
        # 401 says that nothing was done, so that any request may be made once more.
        return self._insist(request, self.tokens.current(deadline=deadline), deadline, tries)

    def _insist(
        self, request: PlatformRequest, token: str, deadline: datetime, tries: int | None
    ) -> Mapping[str, Any]:
        return self._back_off.insist(
            lambda: self._ask_once(request, token, deadline), deadline=deadline, tries=tries
        )

    def _ask_once(
        self, request: PlatformRequest, token: str, deadline: datetime
    ) -> Mapping[str, Any]:
        what = f"{request.method} {request.path}"
        left = deadline - self._clock.now()
        try:
            answer = self._platform.send(request, token=token, limit=left)
            return said_yes(answer, what=what)
        except GenesysSilentError as error:
            if request.idempotent:
                raise GenesysDownError(error.detail, retry_after=error.retry_after) from error
            raise

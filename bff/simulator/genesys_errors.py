"""The platform's error bodies, one shape for every 4xx and 5xx."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

CODES: Final = {
    400: "bad.request",
    401: "authentication.required",
    403: "not.authorized",
    404: "not.found",
    413: "request.entity.too.large",
    415: "unsupported.media.type",
    429: "too.many.requests",
    500: "internal.server.error",
    503: "service.unavailable",
    504: "gateway.timeout",
}


class PlatformRefusal(Exception):  # noqa: N818 - it is an answer on the wire, not a fault of ours
    """A request that the platform answers with an error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        retry_after: timedelta | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or CODES.get(status, "internal.server.error")
        self.retry_after = retry_after
        self.parameters = parameters

    def body(self, context_id: str) -> dict[str, Any]:
        """Return the usual minimum of an ErrorBody; a text with gaps says what is in them."""
        message, gaps = self.message, {}
        if self.parameters is not None:
            message = self.message.format_map(self.parameters)
            gaps = {"messageWithParams": self.message, "messageParams": dict(self.parameters)}
        return {
            "message": message,
            "code": self.code,
            "status": self.status,
            "contextId": context_id,
            "details": [],
            "errors": [],
            **gaps,
        }

    def headers(self) -> dict[str, str]:
        """Return `Retry-After` where the refusal has one."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(max(1, round(self.retry_after.total_seconds())))}

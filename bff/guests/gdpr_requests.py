"""Requests to Genesys itself: to delete a person there (GDPR API), and to be called for deletions.

The GDPR API is the vendor's own, and is asked how far it is; a callback for deletions is what a
gateway in front of Genesys may offer, and Genesys does not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bff.errors import GenesysAnswerError, RequestRefusedError
from bff.guests.platform_client import PlatformClient
from bff.guests.provisioning import checked_guests_path
from bff.ports import PlatformRequest

GDPR_PATH: Final = "/api/v2/gdpr/requests"
CALLBACK_TYPE: Final = "guest_deletion"
OVER: Final = frozenset({"COMPLETED", "ERROR"})
_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_STATUS: Final = re.compile(r"[A-Z_]{1,32}", re.ASCII)
_VALUE: Final = re.compile(r"[^\x00-\x1f\x7f]{1,254}")


class SubjectKind(StrEnum):
    """How a person can be named; Genesys wants one of them at a time."""

    EMAIL = "email"
    PHONE = "phone"
    EXTERNAL_CONTACT = "external_contact"
    EXTERNAL_ID = "external_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a request is about."""

    kind: SubjectKind
    value: str = field(repr=False)

    def spelled(self) -> dict[str, Any]:
        """Return what Genesys reads. Raises RequestRefusedError."""
        if not _VALUE.fullmatch(self.value):
            raise RequestRefusedError(f"this is no {self.kind.value}")
        match self.kind:
            case SubjectKind.EMAIL:
                return {"emailAddresses": [self.value]}
            case SubjectKind.PHONE:
                return {"phoneNumbers": [self.value]}
            case SubjectKind.EXTERNAL_CONTACT:
                return {"externalContactId": self.value}
            case SubjectKind.EXTERNAL_ID:
                return {"externalId": self.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class GdprState:
    """How far a request is."""

    request_id: str
    status: str

    @property
    def over(self) -> bool:
        """Say whether nothing more will come of it."""
        return self.status in OVER

    @property
    def failed(self) -> bool:
        """Say whether it came to nothing."""
        return self.status == "ERROR"


class GdprRequests:
    """Files requests and looks after them. Each call raises errors of the Genesys family."""

    def __init__(self, client: PlatformClient) -> None:
        self._client = client

    def delete(self, subject: Subject) -> GdprState:
        """Ask Genesys to delete a person. It cannot be taken back.

        GenesysSilentError: it may or may not have been filed; it is never filed twice.
        """
        body = {"requestType": "GDPR_DELETE", "subject": subject.spelled()}
        path = f"{GDPR_PATH}?deleteConfirmed=true"
        return _state(self._client.call(PlatformRequest(method="POST", path=path, body=body)))

    def state(self, request_id: str) -> GdprState:
        """Ask how far a request is. Raises RequestRefusedError if that cannot be its id."""
        if not _ID.fullmatch(request_id):
            raise RequestRefusedError("this is no id of a request")
        path = f"{GDPR_PATH}/{request_id}"
        return _state(self._client.call(PlatformRequest(method="GET", path=path)))


def register_callback(client: PlatformClient, *, path: str, url: str) -> str:
    """Ask to be called for deletions; return the id of the registration, or nothing."""
    body = {"type": CALLBACK_TYPE, "url": url}
    request = PlatformRequest(method="POST", path=checked_guests_path(path), body=body)
    answer = client.call(request).get("id")
    return answer if isinstance(answer, str) and _ID.fullmatch(answer) else ""


def _state(body: Mapping[str, Any]) -> GdprState:
    request_id, status = body.get("id"), body.get("status")
    if not isinstance(request_id, str) or not _ID.fullmatch(request_id):
        raise GenesysAnswerError("gdpr: the answer names no request")
    if not isinstance(status, str) or not _STATUS.fullmatch(status):
        raise GenesysAnswerError("gdpr: the answer has no status")
    return GdprState(request_id=request_id, status=status)

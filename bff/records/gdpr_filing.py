"""Files a GDPR request at Genesys once, however often the erasure that needs it is begun.

What was filed is remembered under keyed fingerprints: by the subject, and by the guest, whose
e-mail is gone afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import BffError, GenesysSilentError
from bff.guests.gdpr_requests import GdprRequests, Subject
from bff.ports import Foundation
from bff.records.contact_forms import normal_email, normal_phone
from bff.records.purpose_keys import PurposeKeys

KEEP: Final = timedelta(days=365)
_FORMS: Final[dict[str, Callable[[str], str]]] = {"email": normal_email, "phone": normal_phone}


class Filing(StrEnum):
    """How far a request is, as we know it."""

    ASKED = "asked"
    FILED = "filed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledRequest:
    """A request at Genesys. `request_id` and `status` are None while the answer is not known."""

    state: Filing
    subject: str
    at: datetime
    request_id: str | None = None
    status: str | None = None


class GdprFiling:
    """Files requests and remembers them in the store. StoreDownError if it is away."""

    def __init__(self, foundation: Foundation, purposes: PurposeKeys) -> None:
        self._drawer = Drawer("gdpr-filed", FiledRequest, foundation)
        self._clock = foundation.clock
        self._purposes = purposes

    def file(
        self,
        requests: GdprRequests,
        subject: Subject,
        *,
        guest_id: str,
        again: bool = False,
        since: datetime | None = None,
    ) -> FiledRequest:
        """Return the request for a person, filed now unless it was before, at `since` or later.

        Raises GenesysSilentError if an earlier one was sent and its answer lost: it may be there,
        and is sent once more only with `again`. Raises further errors of the Genesys family, after
        which nothing was filed.
        """
        subject.spelled()  # Raises RequestRefusedError before anything is remembered.
        name = self._by_subject(subject)
        held = self._drawer.get(name)
        if held is not None and not again and not _is_older(held.record, since):
            if held.record.state is Filing.ASKED:
                raise GenesysSilentError("gdpr: an earlier request was sent and its answer lost")
            self._drawer.put(self._by_guest(guest_id), held.record, ttl=KEEP)
            return held.record
        filed = self._filed(requests, subject, name)
        for place in (name, self._by_guest(guest_id)):
            self._drawer.put(place, filed, ttl=KEEP)
        return filed

    def of_guest(self, guest_id: str, *, since: datetime | None = None) -> FiledRequest | None:
        """Return what was filed for a guest, also after the guest has been erased.

        None if it was before `since`: Genesys has learned more of them, and forgets that too.
        """
        held = self._drawer.get(self._by_guest(guest_id))
        return None if held is None or _is_older(held.record, since) else held.record

    def _filed(self, requests: GdprRequests, subject: Subject, name: str) -> FiledRequest:
        kind, now = subject.kind.value, self._clock.now()
        self._drawer.put(name, FiledRequest(state=Filing.ASKED, subject=kind, at=now), ttl=KEEP)
        try:
            state = requests.delete(subject)
        except GenesysSilentError:
            raise  # It may be there. That we asked is remembered.
        except BffError:
            self._drawer.delete(name)
            raise
        return FiledRequest(
            state=Filing.FILED,
            subject=kind,
            at=now,
            request_id=state.request_id,
            status=state.status,
        )

    def _by_subject(self, subject: Subject) -> str:
        form = _FORMS.get(subject.kind.value, str)(subject.value)
        return self._purposes.fingerprint("gdpr-subject", subject.kind.value, form)[:32]

    def _by_guest(self, guest_id: str) -> str:
        return f"guest.{self._purposes.pseudonym(guest_id)}"


def _is_older(filed: FiledRequest, since: datetime | None) -> bool:
    return filed.state is Filing.FILED and since is not None and filed.at < since

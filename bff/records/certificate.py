"""The certificate of an erasure: what was done, where the audit log says so, and what remains.

It names a guest by the pseudonym, and holds nothing of anybody. Whoever knows the guest's id finds
the pseudonym with `audit report --guest`.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from bff.records.audit_events import Action
from bff.records.audit_report import events
from bff.records.gdpr_filing import FiledRequest
from bff.records.record_house import Records
from bff.records.remains import Remainder
from bff.trail_ports import SignedHead, TrailKeeper, TrailQuery, TrailRow, moment

VERSION: Final = 1
TITLE: Final = "certificate of erasure"
DONE: Final = (
    "The key of the guest was destroyed; what it encrypted is readable in no copy any more.",
    "The guest's row in the database of the records was deleted.",
    "The addresses that the guest's events came from were deleted. The events stay.",
    "The audit log names the guest by a pseudonym, and verifies as before.",
    "The guest's sessions were ended and their Genesys tokens forgotten.",
)
_ACTIONS: Final = (Action.ERASURE_ASKED, Action.GUEST_ERASED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestDone:
    """What came of one guest. `result` is a word of `erasure.Erased`, or the code of an error."""

    pseudonym: str
    result: str
    is_erased: bool
    filed: FiledRequest | None = None


def issued(
    done: Sequence[GuestDone],
    *,
    records: Records,
    remains: Sequence[Remainder],
    made_at: datetime,
    service: str,
    operator: str,
) -> str:
    """Return the document as JSON, once the audit log has everything and signed a checkpoint.

    Raises RecordsDownError, StoreDownError.
    """
    records.settle()
    records.signer.tend(now=made_at)
    keeper = records.keeper
    head = keeper.newest_head()
    document = {
        "document": TITLE,
        "version": VERSION,
        "made_at": made_at.isoformat(),
        "service": service,
        "operator": operator,
        "guests": [_guest(one, keeper, head) for one in done],
        "done": list(DONE) if any(one.is_erased for one in done) else [],
        "remains": [asdict(one) for one in remains],
        "checkpoint": None if head is None else _checkpoint(head),
    }
    return json.dumps(document, indent=2) + "\n"


def _guest(done: GuestDone, keeper: TrailKeeper, head: SignedHead | None) -> dict[str, Any]:
    rows = list(_rows(done.pseudonym, keeper)) if done.is_erased else []
    erased = [row for row in rows if row.action == Action.GUEST_ERASED]
    return {
        "pseudonym": done.pseudonym,
        "result": done.result,
        "erased_at": moment(erased[-1].at).isoformat() if erased else None,
        "events": [_event(row) for row in rows],
        "covered_by_checkpoint": bool(erased and head is not None and head.seq >= erased[-1].seq),
        "genesys": None if done.filed is None else _filed(done.filed),
    }


def _rows(pseudonym: str, keeper: TrailKeeper) -> Iterator[TrailRow]:
    for action in _ACTIONS:
        yield from events(keeper, TrailQuery(action=action.value, guests=(pseudonym,)))


def _event(row: TrailRow) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "action": row.action,
        "at": moment(row.at).isoformat(),
        "event_id": row.event_id,
        "hash": row.hash.hex(),
    }


def _filed(filed: FiledRequest) -> dict[str, Any]:
    return {
        "request_id": filed.request_id,
        "status_when_filed": filed.status,
        "filed_at": filed.at.isoformat(),
        "subject": filed.subject,
    }


def _checkpoint(head: SignedHead) -> dict[str, Any]:
    return {
        "seq": head.seq,
        "hash": head.hash.hex(),
        "signed_at": moment(head.signed_at).isoformat(),
        "public_key": head.key_id,
        "signature": base64.urlsafe_b64encode(head.signature).rstrip(b"=").decode(),
    }

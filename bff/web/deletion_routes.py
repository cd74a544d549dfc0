"""The door of the deletion callback: whoever has the secret may have a guest erased."""

from typing import Final

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from bff.errors import RecordsOffError
from bff.records.deletion_calls import DeletionCall, DeletionCalls
from bff.web.doorway import services

bp = Blueprint("deletion", __name__)

PATH: Final = "/webhooks/guest-deletion"
MOST_BYTES: Final = 4096
MOMENT: Final = "X-Signature-Timestamp"
SIGNATURE: Final = "X-Signature"


@bp.post(PATH)
def delete_guest() -> ResponseReturnValue:
    """Erase a guest at the request of whoever signs it (docs/records.md)."""
    calls, source = _calls(), request.remote_addr or ""
    request.max_content_length = MOST_BYTES
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        calls.refused(source, "the body is too large")
        raise
    call = DeletionCall(
        unverified_moment=request.headers.get(MOMENT),
        unverified_signature=request.headers.get(SIGNATURE),
        body=body,
        source=source,
    )
    return jsonify(status=calls.take(call).value)


def _calls() -> DeletionCalls:
    records = services().records
    if records is None or records.guests.deletion_calls is None:
        raise RecordsOffError("BFF_DELETION_SECRET is not set")
    return records.guests.deletion_calls

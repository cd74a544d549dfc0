"""A signed head as a line of JSON: what is kept outside, and what an auditor brings back."""

import base64
import binascii
import json
from typing import Any, Final

from bff.trail_ports import SignedHead

_FIELDS: Final = {"seq": int, "hash": str, "signed_at": int, "key_id": str, "signature": str}


def spelled(head: SignedHead) -> str:
    """Return one line."""
    return json.dumps(
        {
            "seq": head.seq,
            "hash": _text(head.hash),
            "signed_at": head.signed_at,
            "key_id": head.key_id,
            "signature": _text(head.signature),
        }
    )


def read(line: str) -> SignedHead:
    """Return the head of a line. Raises ValueError if it is none."""
    try:
        held: Any = json.loads(line)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(held, dict):
        raise ValueError("is no object")  # noqa: TRY004 - one error for every way to be wrong
    for name, kind in _FIELDS.items():
        if type(held.get(name)) is not kind:
            raise ValueError(f"has no {name}")
    return SignedHead(
        seq=held["seq"],
        hash=_raw(held["hash"]),
        signed_at=held["signed_at"],
        key_id=held["key_id"],
        signature=_raw(held["signature"]),
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("is not base64url") from error

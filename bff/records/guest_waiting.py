"""Facts about a guest on their way to the database: encrypted under the guest's own key.

Whoever destroys the key has erased them wherever they lie: waiting, set aside, and in every copy
of the store's files. The guest is named by an alias, which leads to nobody once they are erased.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from bff.errors import BrokenSealError
from bff.ports import Entropy
from bff.records.guest_keys import GuestKeys
from bff.records.outbox_events import MALFORMED, UNREADABLE, UndeliverableError

ALIAS: Final = "alias"
SEALED: Final = "sealed"


class WaitingFacts:
    """Encrypts facts, and decrypts them if the guest is still known."""

    def __init__(self, keys: GuestKeys, *, entropy: Entropy) -> None:
        self._keys = keys
        self._entropy = entropy

    def encoded(self, guest_id: str, values: Mapping[str, Any]) -> str:
        """Return the body of an outbox event. Raises GuestErasedError, StoreDownError."""
        alias = self._keys.alias(guest_id)
        key = self._keys.find_or_make(guest_id)
        plain = json.dumps(dict(values)).encode()
        sealed = key.seal(plain, context=_context(alias), entropy=self._entropy)
        return json.dumps({ALIAS: alias, SEALED: base64.b64encode(sealed).decode()})

    def decoded(self, body: str) -> dict[str, Any] | None:
        """Return the facts; None if the guest has been erased.

        A body of the version before is not encrypted. Raises UndeliverableError, StoreDownError.
        """
        values = _object(body)
        if SEALED not in values:
            return values
        try:
            alias, sealed = str(values[ALIAS]), base64.b64decode(values[SEALED], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise UndeliverableError(MALFORMED) from error
        guest_id = self._keys.owner(alias)
        key = None if guest_id is None else self._keys.find(guest_id)
        if key is None:
            if self._keys.is_erased_alias(alias):
                return None
            # The store of the keys has lost it, and may be given it back.
            raise UndeliverableError(UNREADABLE)
        try:
            return _object(key.open(sealed, context=_context(alias)).decode())
        except BrokenSealError as error:
            raise UndeliverableError(UNREADABLE) from error


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UndeliverableError(MALFORMED) from error
    if not isinstance(values, dict):
        raise UndeliverableError(MALFORMED)
    return values


def _context(alias: str) -> str:
    return f"outbox:guest:{alias}"

"""What was said in a conversation, page by page."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from bff.errors import GenesysAnswerError, GenesysRefusedError
from bff.guests.guest_token_answers import is_token, judged
from bff.ports import GenesysTokenDoors

LIMIT: Final = timedelta(seconds=30)


class GuestHistory:
    """Reads the history at Genesys, of an anonymous conversation as well as of a person's."""

    def __init__(self, doors: GenesysTokenDoors) -> None:
        self._doors = doors

    def page(self, jwt: str, *, number: int = 1) -> Mapping[str, Any]:
        """Return a page, newest first, as Genesys spells it, for `Upstream.history`.

        `jwt` is what `getJwt` gave on the socket; a guest's own JWT opens nothing here. Raises
        GenesysRefusedError, GenesysDownError (ten looks a minute), GenesysSilentError or
        GenesysAnswerError.
        """
        if not is_token(jwt):
            raise GenesysRefusedError("history: this is no JWT")
        body = judged(self._doors.history(jwt, page=number, limit=LIMIT), what="history")
        if not isinstance(body.get("entities"), list):
            raise GenesysAnswerError("history: the answer has no entities")
        return body

"""Which sessions a guest has open, so that all of them can be ended at once."""

from contextlib import suppress

from bff.crypto.sealed_drawer import Drawer
from bff.errors import UnreadableRecordError
from bff.guests.guest_binding import BINDINGS, GuestBinding, group_of_guest, group_of_person
from bff.guests.guest_news import news_of_guest
from bff.ports import Foundation
from bff.signin.records import EndReason
from bff.signin.session_news import SessionEnded, announce


class LiveGuests:
    """Finds and ends the sessions of a guest, in every process. StoreDownError."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store
        self._drawer = Drawer(BINDINGS, GuestBinding, foundation)

    def of(self, guest_id: str) -> list[GuestBinding]:
        """Return what is known of the sessions that a guest has, of those that can be read."""
        return self._in(group_of_guest(guest_id))

    def of_person(self, person: str) -> list[GuestBinding]:
        """Return the same of the sessions that are this person's, of whichever guests."""
        found = self._in(group_of_person(person))
        return [binding for binding in found if binding.person == person]

    def end_all(self, guest_id: str) -> frozenset[str]:
        """End every session and close its socket; return the persons whose they were."""
        group = group_of_guest(guest_id)
        persons = set()
        for session_id in self._store.members(group):
            binding = self._taken(session_id)
            self._store.leave(group, session_id)
            if binding is not None and binding.person is not None:
                self._store.leave(group_of_person(binding.person), session_id)
                persons.add(binding.person)
        # Told even if nothing was found: a socket may be open that has outlived its binding.
        self.tell(guest_id, EndReason.REVOKED)
        return frozenset(persons)

    def tell(self, guest_id: str, reason: EndReason) -> None:
        """Tell every page of a guest, in every process, that its session has ended."""
        announce(self._store, SessionEnded(key=news_of_guest(guest_id), reason=reason))

    def _in(self, group: str) -> list[GuestBinding]:
        found: list[GuestBinding] = []
        for session_id in self._store.members(group):
            # One that cannot be read hides no other; `end_all` ends it as well.
            with suppress(UnreadableRecordError):
                held = self._drawer.get(session_id)
                found += [] if held is None else [held.record]
        return found

    def _taken(self, session_id: str) -> GuestBinding | None:
        try:
            return self._drawer.take(session_id)
        except UnreadableRecordError:
            # It ends all the same: nothing of this guest's may be continued.
            self._drawer.delete(session_id)
            return None

"""What is kept of guests, in one hand: for doors, commands, and whoever opens sessions."""

from collections.abc import Callable
from dataclasses import dataclass

from bff.crypto.keyring import KeyRing
from bff.guests.live_guests import LiveGuests
from bff.record_ports import GuestRows, Imports
from bff.records.deletion_calls import DeletionCalls
from bff.records.erasure import Erasure, ErasureRounds
from bff.records.guest_keys import GuestKeys
from bff.records.guest_memory import GuestMemory
from bff.records.guest_search import GuestSearch
from bff.records.purpose_keys import PurposeKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestRecords:
    """The guests of one tenant, and what takes them away again."""

    tenant: str
    rows: GuestRows
    ring: KeyRing
    keys: GuestKeys
    live: LiveGuests
    memory: GuestMemory
    imports: Imports
    purposes: PurposeKeys
    erasure: Erasure
    rounds: ErasureRounds
    deletion_calls: DeletionCalls | None = None
    close: Callable[[], None]

    @property
    def search(self) -> GuestSearch:
        """Return who finds guests of every tenant."""
        return GuestSearch(
            rows=self.rows, live=self.live, memory=self.memory, purposes=self.purposes
        )

    def of_email(self, email: str) -> list[str]:
        """Return the ids of the guests with this e-mail, of every tenant. Raises RecordsDownError.

        Some may only have said so: `search` tells which.
        """
        return [found.guest_id for found in self.search.by_email(email)]

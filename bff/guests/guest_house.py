"""Everything that a shell of the guest socket needs, the same for each of them."""

from dataclasses import dataclass, field
from datetime import timedelta

from bff.guests.guest_desk import GuestDesk
from bff.guests.relay import GuestRelay
from bff.guests.relay_hands import Hands, Visitor
from bff.guests.relay_plan import RelayPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRules:
    """Sizes in bytes, and how long a socket is borne with.

    `max_frame_bytes` is that of a whole message, all fragments together. A page that reads
    nothing may have `unsent_limit` waiting, for `unsent_patience`; one that is silent is pinged,
    and has `pong_patience` to answer.
    """

    max_frame_bytes: int = 64 * 1024
    max_genesys_bytes: int = 512 * 1024
    ping_every: timedelta = timedelta(seconds=25)
    pong_patience: timedelta = timedelta(seconds=20)
    unsent_limit: int = 256 * 1024
    unsent_patience: timedelta = timedelta(seconds=20)
    dial_patience: timedelta = timedelta(seconds=10)
    close_patience: timedelta = timedelta(seconds=5)
    connections: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestHouse:
    """Makes relays. `messaging_url` is the web messaging host: `wss://…`, or `ws:` on loopback."""

    desk: GuestDesk
    plan: RelayPlan
    messaging_url: str
    rules: SocketRules = field(default_factory=SocketRules)

    def relay(self, hands: Hands, visitor: Visitor) -> GuestRelay:
        """Return the relay of a new connection."""
        return GuestRelay(self.plan, hands, visitor)

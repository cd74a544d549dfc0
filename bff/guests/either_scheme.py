"""Both ways to sign frames on one socket: a page offers a public key, a server does not."""

from dataclasses import dataclass

from bff.guests.frame_schemes import Handshake, Scheme
from bff.guests.frames import InitPayload


@dataclass(frozen=True, slots=True)
class EitherScheme:
    """Keeps `frame_schemes.Scheme`, where both are switched on."""

    pages: Scheme
    servers: Scheme

    def begin(self, payload: InitPayload) -> Handshake:
        """Take what the other end offers. Raises FrameRefusedError if it cannot be used."""
        chosen = self.servers if payload.public_key is None else self.pages
        return chosen.begin(payload)

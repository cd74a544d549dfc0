"""A whole BFF on a real port, whose public URL is that port, with a session opened by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bff_rig import BffRig, running_bff
from hand_clock import START

from bff.ports import TokenSet
from bff.signin.records import Person, SessionToken
from bff.signin.session_book import SignedIn
from bff.simulator.serving import Served


@dataclass(slots=True)
class _Later:
    """Stands in for an application that needs to know its port before it is made."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedBff:
    """The BFF, where it is, and how a browser that is signed in says so."""

    rig: BffRig
    url: str
    cookie: str


@contextmanager
def served_bff(folder: Path) -> Iterator[ServedBff]:
    later = _Later()
    with (
        Served(later) as served,
        running_bff(folder, BFF_PUBLIC_URL=served.url) as rig,
    ):
        later.app = rig.app
        token = session_by_hand(rig)
        yield ServedBff(rig=rig, url=served.url, cookie=f"__Host-bff={token}")


def session_by_hand(rig: BffRig) -> SessionToken:
    """Open a session without any provider: it gave no refresh token, so nobody asks it again."""
    here = rig.services
    token = here.book.new_token()
    person = Person(
        provider="main",
        subject="amira",
        pairwise="pairwise-of-amira",
        claims={"email": "amira@example.com", "given_name": "Amira", "family_name": "Haddad"},
    )
    signed_in = SignedIn(
        person=person, provider_sid=None, auth_time=START - timedelta(minutes=3), acr="silver"
    )
    tokens = TokenSet(access_token="upstream", refresh_token=None, id_token=None, expires_at=START)
    here.vault.lock_away(here.book.begin(token, signed_in), tokens)
    return token

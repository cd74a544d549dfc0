"""Who is signed on in which browser, and the sign-in pages that are still open."""

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bff.ports import Clock, Entropy
from bff.simulator.provider_people import Person
from bff.simulator.provider_settings import Lifetimes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    """One person in one browser. The cookie's value stays here; `sid` goes into tokens."""

    cookie: str = field(repr=False)
    sid: str
    person: Person
    auth_time: datetime
    acr: str
    expires_at: datetime
    client_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationWish:
    """A checked authorization request."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str
    state: str | None = field(default=None, repr=False)
    nonce: str | None = field(default=None, repr=False)
    prompts: frozenset[str] = frozenset()
    max_age: timedelta | None = None
    acr: str | None = None
    login_hint: str = ""
    hinted_subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """A sign-in page somebody looks at; only the browser it was made for may answer it."""

    page_id: str
    browser: str = field(repr=False)
    wish: AuthorizationWish | None
    expires_at: datetime


class SignOns:
    """The provider's memory of browsers."""

    def __init__(self, *, clock: Clock, entropy: Entropy, lifetimes: Lifetimes) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lifetimes = lifetimes
        self._lock = threading.Lock()
        self._sign_ons: dict[str, SignOn] = {}
        self._pages: dict[str, OpenPage] = {}

    def start(self, person: Person, *, acr: str, before: SignOn | None = None) -> SignOn:
        """Sign `person` on. The cookie is always new (fixation); the same person keeps the sid."""
        now = self._clock.now()
        stays = before if before is not None and before.person == person else None
        fresh = SignOn(
            cookie=self._entropy.token(),
            sid=stays.sid if stays else self._entropy.token(12),
            person=person,
            auth_time=now,
            acr=acr,
            expires_at=now + self._lifetimes.sign_on,
            client_ids=stays.client_ids if stays else frozenset(),
        )
        with self._lock:
            if before is not None:
                self._sign_ons.pop(before.cookie, None)
            self._sign_ons[fresh.cookie] = fresh
        return fresh

    def of_cookie(self, cookie: str | None) -> SignOn | None:
        """Return the living sign-on of this cookie."""
        with self._lock:
            found = self._sign_ons.get(cookie or "")
        return found if found is not None and self._clock.now() < found.expires_at else None

    def of_sid(self, sid: str | None) -> SignOn | None:
        """Return the living sign-on of this sid."""
        return next((one for one in self.living() if one.sid == sid), None)

    def living(self) -> list[SignOn]:
        """Return every living sign-on."""
        now = self._clock.now()
        with self._lock:
            return [one for one in self._sign_ons.values() if now < one.expires_at]

    def joined(self, sign_on: SignOn, client_id: str) -> None:
        """Remember that this client has to hear of the sign-out."""
        with self._lock:
            known = self._sign_ons.get(sign_on.cookie)
            if known is not None:
                clients = known.client_ids | {client_id}
                self._sign_ons[sign_on.cookie] = replace(known, client_ids=clients)

    def end(self, sign_on: SignOn) -> SignOn | None:
        """End it; return it as it was, or None if somebody else was quicker."""
        with self._lock:
            return self._sign_ons.pop(sign_on.cookie, None)

    def open_page(self, wish: AuthorizationWish | None, *, browser: str | None) -> OpenPage:
        """Remember what a sign-in page is for."""
        page = OpenPage(
            page_id=self._entropy.token(16),
            browser=browser or self._entropy.token(),
            wish=wish,
            expires_at=self._clock.now() + self._lifetimes.sign_in_page,
        )
        with self._lock:
            self._pages[page.page_id] = page
        return page

    def page(self, page_id: str, *, browser: str | None) -> OpenPage | None:
        """Return the page if it is open and this browser's (login CSRF)."""
        with self._lock:
            page = self._pages.get(page_id)
        if page is None or page.browser != browser or self._clock.now() >= page.expires_at:
            return None
        return page

    def close_page(self, page: OpenPage) -> bool:
        """Close it; False if it was answered already (a double click)."""
        with self._lock:
            return self._pages.pop(page.page_id, None) is not None

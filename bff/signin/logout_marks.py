"""What providers said has ended, remembered for some minutes.

A back-channel logout may arrive while a sign-in is on its way: redeemed, and not yet a session that
the logout could find. The logout writes its mark and then looks for sessions; the sign-in writes
its session and then looks for marks. Whichever way they mix, one of them sees the other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer, Held
from bff.ports import Foundation, LogoutNotice
from bff.signin.fingerprints import hashed
from bff.signin.records import BrowserSession

MARK_LIFE: Final = timedelta(minutes=10)
"""Longer than redeeming a code and writing a session can take."""

MOMENT: Final = "sign-in-moment"
SAME_SECOND: Final = timedelta(seconds=1)
"""`iat` has whole seconds: a session begun within that second counts as older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutMark:
    """When the provider issued its newest notice of this kind."""

    issued_at: datetime


def means(notice: LogoutNotice, session: BrowserSession) -> bool:
    """Say whether a notice is about this session.

    `sid` names one session and is followed alone; without it every session of the subject that is
    not younger than the notice is meant: a notice never ends the next sign-in.
    """
    if notice.subject not in {None, session.person.subject}:
        return False
    if notice.sid is not None:
        return notice.sid == session.provider_sid
    return notice.subject is not None and _covers(notice.issued_at, session)


class LogoutMarks:
    """Remembers notices for sign-ins that are on their way."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store
        self._drawer = Drawer("logout-mark", LogoutMark, foundation)

    def remember(self, provider: str, notice: LogoutNotice) -> None:
        """Keep what the notice names. Call it before the sessions are looked for."""
        name = _name(provider, notice.sid, notice.subject)
        known = self._drawer.get(name)
        if known is None or known.record.issued_at <= notice.issued_at:
            self._drawer.put(name, LogoutMark(issued_at=notice.issued_at), ttl=MARK_LIFE)

    def moment(self) -> int:
        """Return a number that is less than that of every mark which is written from now on."""
        return self._store.put(MOMENT, b"1", ttl=MARK_LIFE)

    def hit(self, session: BrowserSession, *, since: int) -> bool:
        """Say whether a notice has ended this session. Call it after the session is written.

        `since` is the `moment` at which the sign-in started. A notice that came before it is not
        about this sign-in, unless the ID token is older still.
        """
        provider, subject = session.person.provider, session.person.subject
        names = [_name(provider, None, subject)]
        if session.provider_sid is not None:
            names += [_name(provider, session.provider_sid, named) for named in (subject, None)]
        for name in names:
            mark = self._drawer.get(name)
            by_sid = name is not names[0]
            if mark is not None and _ended(mark, session, since=since, by_sid=by_sid):
                return True
        return False


def _ended(mark: Held[LogoutMark], session: BrowserSession, *, since: int, by_sid: bool) -> bool:
    issued_at = mark.record.issued_at
    if session.began_at < issued_at:
        return True
    # `iat` cannot tell which came first within a second; what the store wrote first can.
    return mark.version > since and (by_sid or _covers(issued_at, session))


def _covers(issued_at: datetime, session: BrowserSession) -> bool:
    return session.began_at < issued_at + SAME_SECOND


def _name(provider: str, sid: str | None, subject: str | None) -> str:
    # No text is both: an absent name is not an empty one.
    return hashed(provider, "sid" if sid is not None else "", sid or "", subject or "")

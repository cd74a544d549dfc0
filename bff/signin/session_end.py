"""The one way to end a session, whatever the reason: a small job that survives whoever began it.

What a session leaves behind lies in several places: the book, the vault, the provider, Genesys, the
open pages, the audit log. The job is written before anything of it is torn down. Each of its steps
may be done twice; those that fail are done by the next call for the same session, or by a round in
the background of any process.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import BffError, StoreDownError, UnreadableRecordError
from bff.ports import Foundation, HeldElsewhere, IdentityProvider, TokenSet
from bff.signin.records import BrowserSession, EndedBy, SessionKey, VaultEntry
from bff.signin.revocations import REVOCATION_LIFE, Revocations
from bff.signin.session_book import SessionBook

log = logging.getLogger(__name__)

ENDS: Final = "session-ends"
TELLING: Final = "genesys-revocation"
JOB_LIFE: Final = REVOCATION_LIFE
RETURN_LIFE: Final = timedelta(minutes=10)
"""So long a job is kept when it is done: whoever asks again, with the same cookie, is answered."""

_TOLD_SOON: Final = frozenset(
    {EndedBy.PROVIDER, EndedBy.RENEWAL_REFUSED, EndedBy.UNFINISHED, EndedBy.EXPIRY}
)
"""Whose provider is not called now: it waits for our answer, or has just refused, or is away."""


class _NotKeptError(BffError):
    """An event is where it would be lost with this process."""


class EndStep(StrEnum):
    """What there is to do, in this order."""

    RECORD = "record"  # nobody can use the session any more
    TOKENS = "tokens"  # out of the vault, and out of the reach of a renewal
    GROUPS = "groups"
    PAGES = "pages"
    AUDIT = "audit"
    GENESYS = "genesys"
    CODES = "codes"
    PROVIDER = "provider"


_OF_THE_BOOK: Final = frozenset({EndStep.RECORD, EndStep.GROUPS, EndStep.PAGES, EndStep.AUDIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndJob:
    """The end of one session: whose it was, who ended it, and what of it is done.

    `tokens` are here from the moment that the vault lets go of them until the provider is told.
    """

    key: SessionKey
    by: EndedBy
    begun_at: datetime
    session: BrowserSession | None = field(default=None, repr=False)
    provider: str = ""
    tokens: TokenSet | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    done: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Say whether nothing is left to do."""
        return set(EndStep) <= set(self.done)

    def having(self, *steps: EndStep) -> "EndJob":
        """Return the job with these steps done."""
        return replace(self, done=tuple(sorted({*self.done, *steps})))


class SessionEnder:
    """Ends sessions. Keeps nothing itself: whatever process finds a job can finish it.

    The order is what matters. First nobody can use the session; then its tokens are out of the
    reach of a renewal, which will find the vault closed; and only then others are told.
    """

    def __init__(
        self,
        foundation: Foundation,
        *,
        book: SessionBook,
        providers: Mapping[str, IdentityProvider],
    ) -> None:
        self._store = foundation.store
        self._clock = foundation.clock
        self._jobs = Drawer("session-end", EndJob, foundation)
        self._vault = Drawer("vault", VaultEntry, foundation)
        self._book = book
        self.revocations: Final = Revocations(foundation, providers=providers)
        self._held: list[HeldElsewhere] = []
        self._others: list[Callable[[str], object]] = []

    def also_forget(self, held: HeldElsewhere) -> None:
        """Have the tokens that `held` keeps at Genesys revoked with each session."""
        if held not in self._held:
            self._held.append(held)

    def also_release(self, release: Callable[[str], object]) -> None:
        """Have `release` called with the key of each session. It may be called twice."""
        self._others.append(release)

    def end(self, key: SessionKey, *, by: EndedBy, soon: bool = False) -> EndJob | None:
        """End a session with all that belongs to it; None if there is nothing to end.

        Finishes what an earlier call could not. `soon` leaves provider and Genesys to the
        background; the provider is anyway, if it causes the end. Raises StoreDownError if the
        session may still be used, or its tokens were not reached: call it again. Whatever else
        fails is done later.
        """
        held = self._begun(key, by) or self._left_open(key, by)
        return None if held is None else self._worked_on(held, soon=soon)

    def ended(self, key: SessionKey) -> EndJob | None:
        """Return the job of a session that has ended a few minutes ago, or None."""
        held = self._job(key)
        return None if held is None else held.record

    def undo(self, session: BrowserSession, tokens: TokenSet) -> None:
        """Take back a sign-in that came to nothing. Nobody was given its cookie. Raises nothing.

        What the store does not let us remove is of no use to anybody, and its end is watched.
        """
        steps: tuple[Callable[[], object], ...] = (
            lambda: self._book.remove(session),
            lambda: self._vault.delete(session.key),
            lambda: self.revocations.tell_or_keep(session.person.provider, tokens),
        )
        for step in steps:
            try:
                step()
            except BffError as error:
                log.warning("session %s: not taken back: %s", session.key[:8], error.detail)

    def finish(self) -> int:
        """Go on with what others left undone; return how many ends are complete now.

        Asks nobody but the store. Raises StoreDownError.
        """
        finished = 0
        for name in self._store.members(ENDS):
            held = self._job(SessionKey(name))
            # A name comes before its job: one that has none yet is left alone, and goes by itself.
            if held is not None:
                finished += self._gone_on(held)
        return finished

    def _gone_on(self, held: Held[EndJob]) -> bool:
        try:
            return self._worked_on(held, soon=True).finished
        except StoreDownError:
            raise
        except Exception:
            # One that cannot be finished must not hold up all that come after it.
            log.exception("session %s: its end cannot be finished", held.record.key[:8])
            return False

    def tell_genesys(self) -> int:
        """Revoke at Genesys what waits for it; return how many. Raises StoreDownError."""
        return sum(held.tell_waiting() for held in self._held)

    # How a job begins

    def _begun(self, key: SessionKey, by: EndedBy) -> Held[EndJob] | None:
        """Write the job of a session that is there, unless somebody was quicker."""
        now = self._clock.now()
        try:
            session = self._book.record(key)
        except UnreadableRecordError:
            # Whose it was is not known; that it ends is.
            return self._written(EndJob(key=key, by=by, begun_at=now))
        if session is None:
            return None
        job = EndJob(
            key=key,
            # It ended by itself, whoever comes now.
            by=EndedBy.EXPIRY if session.ends_at <= now else by,
            begun_at=now,
            session=session,
            provider=session.person.provider,
        )
        held = self._written(job)
        if held is not None and EndStep.RECORD in held.record.done and self._book.record(key):
            # The store has brought back what was deleted (a failover): once more, then.
            self._jobs.put(key, job, ttl=JOB_LIFE)
            held = self._job(key)
        return held

    def _left_open(self, key: SessionKey, by: EndedBy) -> Held[EndJob] | None:
        """Return a job that is not finished; begin one for tokens without a session."""
        held = self._job(key)
        if held is not None:
            return None if held.record.finished else held
        if self._entry(key) is None:
            return None
        done = tuple(sorted(_OF_THE_BOOK))
        return self._written(EndJob(key=key, by=by, begun_at=self._clock.now(), done=done))

    def _written(self, job: EndJob) -> Held[EndJob] | None:
        # Listed first: a job that nobody knows of would never be finished.
        self._store.join(ENDS, job.key, ttl=JOB_LIFE)
        if not self._jobs.add(job.key, job, ttl=JOB_LIFE) and self._job(job.key) is None:
            # One that does not open must not keep anybody signed in.
            self._jobs.put(job.key, job, ttl=JOB_LIFE)
        return self._job(job.key)

    def _job(self, key: SessionKey) -> Held[EndJob] | None:
        """Return a job; one that cannot be read is left to who can."""
        try:
            return self._jobs.get(key)
        except UnreadableRecordError:
            return None

    def _entry(self, key: SessionKey) -> Held[VaultEntry] | None:
        """Return what the vault has; what cannot be read stays there, until it runs out."""
        try:
            return self._vault.get(key)
        except UnreadableRecordError:
            return None

    # How it goes on

    def _worked_on(self, held: Held[EndJob], *, soon: bool) -> EndJob:
        """Do what is not done. Raises StoreDownError if what matters most is not."""
        if held.record.finished:
            self._close(held)
            return held.record
        held = self._barred(held)
        held = self._tried_to_empty(held)
        for step, work in (
            (EndStep.GROUPS, self._leave_groups),
            (EndStep.PAGES, self._tell_pages),
            (EndStep.AUDIT, self._write_down),
            (EndStep.GENESYS, lambda job: self._let_go_of_genesys(job, soon=soon)),
            (EndStep.CODES, self._release_others),
            (EndStep.PROVIDER, lambda job: self._tell_provider(job, soon=soon)),
        ):
            held = self._tried(held, step, work)
        return self._put_away(held)

    def _tried_to_empty(self, held: Held[EndJob]) -> Held[EndJob]:
        try:
            return self._emptied(held)
        except UnreadableRecordError as error:
            # Tokens that a newer version wrote, or whose key is away: a round looks again, and
            # until then no version that reads them can use them without the session.
            log.warning("session %s: %s", held.record.key[:8], error.detail)
            return held

    def _barred(self, held: Held[EndJob]) -> Held[EndJob]:
        job = held.record
        if EndStep.RECORD in job.done:
            return held
        steps: frozenset[EndStep] = frozenset({EndStep.RECORD})
        try:
            if self._book.take_out(job.key, job.by.reason) is not None:
                steps = _OF_THE_BOOK - {EndStep.AUDIT}
        except StoreDownError:
            if self._book.record(job.key) is not None:
                raise
        return replace(held, record=job.having(*steps))

    def _emptied(self, held: Held[EndJob]) -> Held[EndJob]:
        """Move the tokens from the vault into the job: closed, written here, deleted there."""
        job = held.record
        if EndStep.TOKENS in job.done:
            return held
        entry = self._closed(job.key)
        if entry is not None:
            tokens = entry.tokens
            job = replace(job, provider=entry.provider, tokens=tokens, id_token=tokens.id_token)
            held = self._saved(replace(held, record=job), ttl=JOB_LIFE)
            self._vault.delete(job.key)
        return replace(held, record=held.record.having(EndStep.TOKENS))

    def _closed(self, key: SessionKey) -> VaultEntry | None:
        """Close the vault's entry, so that no renewal under way saves over it; return it.

        Raises UnreadableRecordError: what cannot be read is not absent.
        """
        while True:
            held = self._vault.get(key)
            if held is None or held.record.closed:
                return None if held is None else held.record
            closed = replace(held.record, closed=True)
            if self._vault.replace(key, closed, version=held.version, ttl=JOB_LIFE) is not None:
                return closed

    def _tried(
        self, held: Held[EndJob], step: EndStep, work: Callable[[EndJob], None]
    ) -> Held[EndJob]:
        job = held.record
        if step in job.done or (step is EndStep.PROVIDER and EndStep.TOKENS not in job.done):
            return held
        try:
            work(job)
        except BffError as error:
            log.warning("session %s: %s is done later: %s", job.key[:8], step, error.detail)
            return held
        return replace(held, record=job.having(step))

    def _leave_groups(self, job: EndJob) -> None:
        if job.session is not None:
            self._book.remove(job.session)

    def _tell_pages(self, job: EndJob) -> None:
        self._book.tell_pages(job.key, job.by.reason)

    def _write_down(self, job: EndJob) -> None:
        if not self._book.write_down(job.key, job.session, job.by.reason, job.by):
            # In the memory of this process only: noted once more, it is still one event.
            raise _NotKeptError("the audit event is not kept for good yet")

    def _let_go_of_genesys(self, job: EndJob, *, soon: bool) -> None:
        for held in self._held:
            if held.release(job.key) and not soon:
                # Behind the back of who waits for the sign-out. If it fails, it stays in line.
                threading.Thread(
                    target=_forget, args=(held, job.key), name=TELLING, daemon=True
                ).start()

    def _release_others(self, job: EndJob) -> None:
        for release in self._others:
            release(job.key)

    def _tell_provider(self, job: EndJob, *, soon: bool) -> None:
        if job.tokens is None:
            return
        if soon or job.by in _TOLD_SOON:
            self.revocations.soon(job.provider, job.tokens, name=job.key)
        else:
            self.revocations.tell_or_keep(job.provider, job.tokens, name=job.key)

    def _put_away(self, held: Held[EndJob]) -> EndJob:
        """Save how far it is. A finished job holds nobody's data, and no token but the hint."""
        job = held.record
        try:
            if not job.finished:
                return self._saved(held, ttl=JOB_LIFE).record
            done = replace(held, record=replace(job, session=None, tokens=None))
            # For as long as it may be listed: a name without a job would be left alone.
            self._close(self._saved(done, ttl=JOB_LIFE))
        except StoreDownError as error:
            # All that matters is done; a round does the rest once more.
            log.warning("session %s: its end is not written: %s", job.key[:8], error.detail)
        return job

    def _close(self, held: Held[EndJob]) -> None:
        """Take a finished job from the list, and keep it for who asks again."""
        self._store.leave(ENDS, held.record.key)
        self._saved(held, ttl=RETURN_LIFE)

    def _saved(self, held: Held[EndJob], *, ttl: timedelta) -> Held[EndJob]:
        """Write the job; together with somebody who works on it as well, what both have done."""
        key = held.record.key
        while True:
            version = self._jobs.replace(key, held.record, version=held.version, ttl=ttl)
            if version is not None:
                return Held(record=held.record, version=version)
            other = self._job(key)
            if other is None:
                return held
            held = Held(record=_both(held.record, other.record), version=other.version)


def _both(ours: EndJob, theirs: EndJob) -> EndJob:
    """Return what two have done who worked on one job at a time."""
    done = {*ours.done, *theirs.done}
    told = EndStep.PROVIDER in done
    return replace(
        theirs,
        session=None if set(EndStep) <= done else theirs.session,
        provider=ours.provider or theirs.provider,
        tokens=None if told else ours.tokens or theirs.tokens,
        id_token=ours.id_token or theirs.id_token,
        done=tuple(sorted(done)),
    )


def _forget(held: HeldElsewhere, key: SessionKey) -> None:
    try:
        held.forget(key)
    except BffError as error:
        log.warning("session %s: revoked at Genesys later: %s", key[:8], error.detail)

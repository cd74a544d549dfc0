"""What `messenger-bff check` finds, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bff.errors import BffError


class Verdict(StrEnum):
    """How a finding is meant. A note is what cannot be looked at from here."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `fix` says what to do unless it is fine."""

    verdict: Verdict
    what: str
    fix: str = ""


def fine(what: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(verdict=Verdict.OK, what=what)


def fault(what: str, fix: str) -> Finding:
    """Return that something must be mended before the service is of use."""
    return Finding(verdict=Verdict.FAULT, what=what, fix=fix)


def warning(what: str, fix: str) -> Finding:
    """Return that something may or may not be meant."""
    return Finding(verdict=Verdict.WARNING, what=what, fix=fix)


def note(what: str, fix: str) -> Finding:
    """Return what cannot be known from here, and how to see it."""
    return Finding(verdict=Verdict.NOTE, what=what, fix=fix)


def tried(what: str, look: Callable[[], object], fix: str) -> Finding:
    """Look, and return a fault if that raises an error of ours."""
    try:
        look()
    except BffError as error:
        return fault(f"{what}: {error.code} ({error.detail})", fix)
    return fine(what)

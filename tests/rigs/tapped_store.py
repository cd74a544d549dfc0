"""A real store with a hand at every call: it fails, or something happens in between."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from bff.errors import StoreDownError
from bff.ports import Store

TAPPED: Final = frozenset(
    {
        "get",
        "put",
        "add",
        "replace",
        "take",
        "delete",
        "acquire_lease",
        "release_lease",
        "count",
        "join",
        "leave",
        "members",
        "publish",
    }
)


class TappedStore:
    """Keeps `ports.Store` as the real one does. Only the calls of its own thread are tapped."""

    def __init__(self, real: Store) -> None:
        self.real = real
        self.calls = 0
        self._owner = threading.get_ident()
        self.before: Callable[[int, str], None] = _nothing
        self.after: Callable[[int, str], None] = _nothing

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.real, name)
        if name not in TAPPED:
            return method

        def tapped(*given: Any, **named: Any) -> Any:
            if threading.get_ident() != self._owner:
                return method(*given, **named)
            self.calls += 1
            number = self.calls
            self.before(number, name)
            answer = method(*given, **named)
            self.after(number, name)
            return answer

        return tapped

    @contextmanager
    def failing(self, at: int, *, lost: str) -> Iterator[None]:
        """Lose the request or the answer of call `at`, counted from here."""
        self.calls = 0
        with self._hand(_fail_at(at), lost=lost):
            yield

    @contextmanager
    def failing_from(self, at: int) -> Iterator[None]:
        """Fail at call `at` and at every later one, as for a process that dies there."""

        def fail(number: int, name: str) -> None:
            if number >= at:
                raise StoreDownError(f"planted at call {number}, {name}")

        self.calls = 0
        with self._hand(fail, lost="request"):
            yield

    @contextmanager
    def failing_at_each(self, kind: str) -> Iterator[None]:
        """Fail at every call of one kind, as for a user without the right."""

        def fail(_number: int, name: str) -> None:
            if name == kind:
                raise StoreDownError(f"no right to {name}")

        with self._hand(fail, lost="request"):
            yield

    @contextmanager
    def interrupted(self, at: int, meanwhile: Callable[[], object]) -> Iterator[None]:
        """Have something happen just before call `at`, counted from here."""

        def interrupt(number: int, _name: str) -> None:
            if number == at:
                meanwhile()

        self.calls = 0
        with self._hand(interrupt, lost="request"):
            yield

    @contextmanager
    def _hand(self, hand: Callable[[int, str], None], *, lost: str) -> Iterator[None]:
        if lost == "request":
            self.before = hand
        else:
            self.after = hand
        try:
            yield
        finally:
            self.before = self.after = _nothing


def _fail_at(at: int) -> Callable[[int, str], None]:
    def fail(number: int, name: str) -> None:
        if number == at:
            raise StoreDownError(f"planted at call {number}, {name}")

    return fail


def _nothing(_number: int, _name: str) -> None:
    pass

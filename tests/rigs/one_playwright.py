"""One Playwright for a process: its blocking form cannot be started beside another."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Playwright, sync_playwright

_running: list[Playwright] = []


@contextmanager
def one_playwright() -> Iterator[Playwright]:
    """Yield the one that runs already, or one that ends with this block."""
    if _running:
        yield _running[0]
        return
    with sync_playwright() as started:
        _running.append(started)
        try:
            yield started
        finally:
            _running.clear()

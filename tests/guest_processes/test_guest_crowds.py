"""A thousand pages that say nothing, and one that reads nothing: their neighbours do not notice."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import monotonic

import pytest
from guest_page import GuestPage
from guest_processes import GuestProcess, GuestSite, figures, guest_site, until
from lazy_page import LazyPage
from redis_server import RedisServer
from silent_crowd import SilentCrowd, allow_files
from websockets.exceptions import InvalidStatus

from bff.simulator.genesys_sessions import GuestSession

SILENT, PLACES = 1000, 1002
# Sixty megabytes: more than all buffers on the way hold together.
TEXT, TIMES = "flood " * 10_000, 1000
GROWTH_KIB = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """One of each, on one Redis."""

    site: GuestSite
    processes: tuple[GuestProcess, ...]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    allow_files()
    with ExitStack() as running:
        redis = running.enter_context(RedisServer())
        folder = tmp_path_factory.mktemp("crowds")
        site = running.enter_context(guest_site(folder, store_url=redis.url)).with_settings(
            BFF_GUEST_CONNECTIONS=str(PLACES), BFF_GUEST_SESSIONS_PER_MINUTE="100"
        )
        serve = running.enter_context(site.serving())
        gateway = running.enter_context(site.gateway())
        yield Town(site=site, processes=(serve, gateway))
        for process in (serve, gateway):
            assert process.is_clean, process.log


def is_served(page: GuestPage, text: str) -> float:
    """Say something; return after how many seconds it was delivered."""
    began = monotonic()
    seq = page.say(text)
    page.until("message_delivered", seq=seq)
    return monotonic() - began


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooded:
    """A page that has stopped reading, while an agent does not stop talking to it."""

    at: GuestProcess
    page: LazyPage
    session: GuestSession


@pytest.fixture(scope="module")
def flooded(town: Town) -> Iterator[list[Flooded]]:
    """One at each process. They are borne with for 20 s, which is another test's time as well."""
    site = town.site
    with ExitStack() as running:
        pages = []
        for at in town.processes:
            page = LazyPage(at.url, origin=site.stage.brand_url)
            running.callback(page.break_off)
            page.open_and_stop(f"flood me at {at.name}")
            session = site.session_of(f"flood me at {at.name}")
            pages.append(Flooded(at=at, page=page, session=session))
        for one in pages:
            before = one.at.resident_kib()
            with site.page(one.at) as neighbour:
                neighbour.open()
                site.agent_says(one.session, *([TEXT] * TIMES))
                slowest = max(is_served(neighbour, f"{n} in the flood") for n in range(5))
            grown = one.at.resident_kib() - before
            figures.info("%s: %d KiB more, neighbour waits %.3f s", one.at.name, grown, slowest)
            assert slowest < 1
            assert grown < GROWTH_KIB
            assert one.session.connections, "it was cut at once"
        yield pages


def test_a_thousand_silent_pages_cost_little_disturb_nobody_and_are_let_go(
    town: Town, flooded: list[Flooded]
) -> None:
    site = town.site
    assert len(flooded) == len(town.processes)  # they have a place each
    with SilentCrowd(site.stage.brand_url) as crowd, ExitStack() as open_pages:
        neighbours = [open_pages.enter_context(site.page(at)) for at in town.processes]
        for page, at in zip(neighbours, town.processes, strict=True):
            page.open()
            is_served(page, "before the crowd")
            before = at.resident_kib()
            began = monotonic()
            crowd.grow(at.url, SILENT)
            took = monotonic() - began
            each = (at.resident_kib() - before) / SILENT
            figures.info("%s: %.1f KiB for each, let in within %.2f s", at.name, each, took)
            assert 0 < each < 100
        for page, at in zip(neighbours, town.processes, strict=True):
            assert is_served(page, "in the crowd") < 1
            with pytest.raises(InvalidStatus) as refused:
                site.page(at)
            assert refused.value.response.status_code == 503
        told = crowd.farewells(within_s=20)
        assert told == {(at.url, 1008, "init_expected"): SILENT for at in town.processes}
        for page in neighbours:
            assert is_served(page, "after the crowd") < 1
        for at in town.processes:
            # Every place is free again, not only one.
            crowd.grow(at.url, SILENT)


def test_a_page_that_does_not_read_is_cut_after_the_patience(
    town: Town, flooded: list[Flooded]
) -> None:
    for one in flooded:
        until(partial(_is_cut, one), f"{one.at.name} bears it for ever")
        assert one.page.what_is_left() < TIMES * len(TEXT)
        with town.site.page(one.at) as neighbour:
            neighbour.open()
            assert is_served(neighbour, f"after the flood at {one.at.name}") < 1


def _is_cut(one: Flooded) -> bool:
    return not one.session.connections

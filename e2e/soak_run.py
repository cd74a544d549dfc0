"""Lives one scripted day against real parts in turned time: `make soak` prints what it cost."""

import argparse
import logging
import random  # noqa: TID251 - seeded: a day that went wrong can be lived again
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Request, sync_playwright
from soak_day import Happening, Trouble, script_of
from soak_person import Person
from soak_tally import LeastPossible, Tally
from world import JWT_LIFE, OwnProvider, World, world

from bff.simulator.genesys_faults import Door, Fault

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
AN_OUTAGE: Final = 1_000
AROUND_THE_END: Final = tuple(timedelta(seconds=s) for s in (-2.5, -1.5, -0.5, 0.5, 1.5, 3, 6))
"""Looks are close together where a JWT ends: a renewal a second too early shows only there."""
A_MOMENT: Final = timedelta(milliseconds=250)
MOST_MOMENTS: Final = 24
IN_FLIGHT_LIMIT_MS: Final = 3_000
NOTICE_MS: Final = 50
SETTLE_MS: Final = 5
REFRESH: Final = "/token/refresh"
OF_SIGN_IN: Final = ("/api/v2/webdeployments/token/", "/messenger/code", "/auth/session")


@dataclass(slots=True)
class Day:
    """One browser, one person, and everything that happens to them."""

    world: World
    person: Person
    tally: Tally
    dice: random.Random
    minute: int = 0
    skew: timedelta = timedelta(0)
    offline: bool = False
    burst: bool = False
    provider_is_down: bool = False
    question: bool = False
    ends: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    in_flight: set[Request] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        """Return the servers' time, which is the true one."""
        return self.world.clock.now()

    def live(self, script: list[Happening], minutes: int) -> Iterator[int]:
        """Live through it; yield each hour that is over."""
        coming = sorted(script, key=lambda one: one.at)
        hours = 0
        while self.minute < minutes:
            self._end_what_is_over()
            while coming and coming[0].at <= self.minute:
                self._begin(coming.pop(0))
                self._come_to_rest()
            self._pass_a_minute()
            if self.minute // 60 > hours:
                hours = self.minute // 60
                yield hours
        self._finish()

    def _finish(self) -> None:
        """Let everything end well, and say what is still to be said."""
        self.person.think_of("Good night")
        while self.ends or self.person.waiting or self.person.unsure:
            self._end_what_is_over()
            self._pass_a_minute()
            if self.minute > 24 * 60:
                raise AssertionError(f"the chat never came back: {self.person.waiting}")

    def _end_what_is_over(self) -> None:
        over = [act for at, act in self.ends if at <= self.minute]
        self.ends = [(at, act) for at, act in self.ends if at > self.minute]
        for act in over:
            act()
            self._come_to_rest()

    def _begin(self, happening: Happening) -> None:
        trouble = happening.trouble
        self.tally.troubles[trouble.value] += 1
        doing: dict[Trouble, Callable[[int], None]] = {
            Trouble.SLEEP: self._sleep,
            Trouble.AWAY: self._go_away,
            Trouble.PROVIDER_OUTAGE: self._provider_down,
            Trouble.GENESYS_BURST: self._genesys_fails,
            Trouble.BURST_AT_RENEWAL: lambda _: self._fail(Door.REFRESH, 2),
            Trouble.RESTART: lambda _: self.world.bff.restart(),
            Trouble.NETWORK_CUT: self._cut_network,
            Trouble.SOCKETS_CUT: lambda _: self._cut_sockets(),
            Trouble.CLOCK_FORWARD: lambda lasts: self._jump(HOUR, lasts),
            Trouble.CLOCK_BACK: lambda lasts: self._jump(-HOUR, lasts),
            Trouble.SEALING_KEY: lambda _: self._rotate("sealing"),
            Trouble.SIGNING_KEY: lambda _: self._rotate("signing"),
            Trouble.RELOAD: lambda _: self._unless_offline(self.person.reload),
            Trouble.NEW_TAB: lambda _: self._unless_offline(self.person.change_a_tab),
        }
        doing[trouble](happening.lasts)

    def _rotate(self, keys: str) -> None:
        services = self.world.services
        (services.key_ring if keys == "sealing" else services.signing_keys).rotate()

    # Time

    def _pass_a_minute(self) -> None:
        self.minute += 1
        target = self.now + MINUTE
        for stop in self._stops(target):
            self._go_to(stop)
        if not self.person.is_away and self.minute % self.dice.randint(7, 15) == 0:
            self.person.look_at(self.dice.randrange(len(self.person.tabs)))
            self._come_to_rest()
        if self.dice.random() < 1 / 3:
            self.person.think_of(f"Line {len(self.person.typed) + 1}")
        self.person.speak()

    def _stops(self, target: datetime) -> list[datetime]:
        end = self._jwt_end()
        near = [end + away for away in AROUND_THE_END if self.now < end + away < target]
        return [*(near if not self.person.is_away else []), target]

    def _jwt_end(self) -> datetime:
        desk = self.world.stage.genesys.desk
        ends = max(grant.jwt_ends_at for grant in desk._all() if not grant.dead)
        return datetime.fromtimestamp(ends, self.now.tzinfo)

    def _go_to(self, moment: datetime) -> None:
        self._come_to_rest()
        self._let_pass(moment - self.now)
        self._come_to_rest()
        self._look_for_a_question()

    def _come_to_rest(self) -> None:
        """Let whoever is busy have the seconds that this takes one after the other.

        In a leap of a minute the Messenger's patience would run out before any answer could come.
        """
        self._let_answers_come()
        for _ in range(MOST_MOMENTS):
            if self.offline or self.person.is_calm():
                return
            self._let_pass(A_MOMENT)

    def _look_for_a_question(self) -> None:
        """Count a Re-authenticate in front once, by whether a JWT could be had as it came."""
        asked = self.person.is_asked()
        if asked and not self.question:
            nobody_could = (
                not self._somebody_can_renew() or self.world.stage.genesys.faults.pending()
            )
            self.tally.popups_of_outages += bool(nobody_could)
            self.tally.popups += not nobody_could
        self.question = asked

    def _let_pass(self, duration: timedelta) -> None:
        if duration > timedelta(0):
            self.world.pass_time(duration)
        self._let_answers_come()
        if self._somebody_can_renew():
            self.tally.least.somebody_is_there(self.now)

    def _let_answers_come(self) -> None:
        """Give what is under way the real time it takes; turned time would overtake it."""
        page = self.person.tab.page
        page.wait_for_timeout(SETTLE_MS)
        self._let_old_sockets_end()
        for _ in range(IN_FLIGHT_LIMIT_MS // 10):
            if not self.in_flight and not self.person.waits_for_an_answer():
                return
            page.wait_for_timeout(10)

    def _let_old_sockets_end(self) -> None:
        """Wait for Genesys to end what is two hours old; it looks every half a second."""
        genesys, page = self.world.stage.genesys, self.person.tab.page
        oldest = self.now - genesys.settings.connection_life
        for _ in range(IN_FLIGHT_LIMIT_MS // NOTICE_MS):
            with genesys.lock:
                opened = [one.opened_at for one in genesys.messaging.connections.values()]
            if not opened or min(opened) > oldest:
                return
            page.wait_for_timeout(NOTICE_MS)

    def _somebody_can_renew(self) -> bool:
        return not (self.person.is_away or self.offline or self.burst or self._provider_is_missed())

    def _provider_is_missed(self) -> bool:
        """Say whether the provider is down for longer than the BFF forgives."""
        if not self.provider_is_down:
            return False
        services = self.world.services
        held = services.vault._require(services.book.everyone()[0].key)
        return self.now - held.record.tokens.expires_at > self.world.bff._settings.outage_grace

    # Troubles

    def _until(self, lasts: int, act: Callable[[], None]) -> None:
        self.ends.append((self.minute + lasts, act))

    def _sleep(self, lasts: int) -> None:
        """Stop the machine: no timer runs, and the clock has moved when it wakes."""
        self.minute += lasts
        self.world.clock.shift += lasts * MINUTE
        self._set_browser_clock()
        self._cut_sockets()

    def _jump(self, by: timedelta, lasts: int) -> None:
        self.skew += by
        self._set_browser_clock()
        if lasts:
            self._until(lasts, lambda: self._jump(-by, 0))

    def _set_browser_clock(self) -> None:
        self.world.context.clock.set_system_time(self.now + self.skew)

    def _go_away(self, lasts: int) -> None:
        self.person.leave()
        self._until(lasts, self.person.come_back)

    def _provider_down(self, lasts: int) -> None:
        provider = self.world.provider
        assert isinstance(provider, OwnProvider)
        self.provider_is_down = True
        provider.go_down()

        def back() -> None:
            self.provider_is_down = False
            provider.come_back()

        self._until(lasts, back)

    def _genesys_fails(self, lasts: int) -> None:
        self.burst = True
        for door in (Door.REFRESH, Door.EXCHANGE):
            self._fail(door, AN_OUTAGE)

        def back() -> None:
            self.burst = False
            self.world.stage.genesys.faults.clear()

        self._until(lasts, back)

    def _fail(self, door: Door, times: int) -> None:
        self.world.stage.genesys.faults.order(door, Fault(status=503), times=times)

    def _cut_network(self, lasts: int) -> None:
        self.offline = True
        self.world.context.set_offline(True)
        self._cut_sockets()

        def back() -> None:
            self.offline = False
            self.world.context.set_offline(False)

        self._until(lasts, back)

    def _cut_sockets(self) -> None:
        genesys = self.world.stage.genesys
        with genesys.lock:
            genesys.hub.post(genesys.messaging.cut())
        # The pages hear of it a moment later.
        self.person.tab.page.wait_for_timeout(NOTICE_MS)

    def _unless_offline(self, act: Callable[[], None]) -> None:
        if self.offline:
            self._until(10, act)
        else:
            act()


def live_a_day(browser: Browser, *, hours: float, seed: int, say: Callable[[str], None]) -> Tally:
    """Live one day in `browser` and return what it cost."""
    with (
        tempfile.TemporaryDirectory() as folder,
        world(browser, Path(folder), certified=False, fake_time=True) as here,
    ):
        day = _morning(here, seed)
        for hour in day.live(script_of(hours, seed), int(hours * 60)):
            _sum_up(day)
            tally = day.tally
            say(
                f"hour {hour}: {tally.refreshes} refreshes ({tally.least.renewals} at least), "
                f"{tally.codes} codes, {len(tally.typed)} typed, {tally.delivered} delivered, "
                f"{sum(tally.troubles.values())} troubles"
            )
        day.tally.shown = day.person.go_home()
        _sum_up(day)
        return day.tally


def _morning(here: World, seed: int) -> Day:
    person = Person(here)
    here.context.set_default_timeout(15_000)
    least = LeastPossible(jwt_ends_at=here.clock.now() + JWT_LIFE, life=JWT_LIFE)
    dice = random.Random(seed)
    day = Day(here, person, Tally(least=least), dice)
    person.arrive()
    _count_requests(day)
    least.jwt_ends_at = day._jwt_end()
    return day


def _count_requests(day: Day) -> None:
    def asked(request: Request) -> None:
        if any(part in request.url for part in OF_SIGN_IN):
            day.in_flight.add(request)
        day.tally.codes += request.url.endswith("/messenger/code") and request.method == "POST"
        day.tally.sign_in_pages += "/auth/login" in request.url

    def answered(request: Request) -> None:
        day.in_flight.discard(request)
        if request.url.endswith(REFRESH) and request.method == "POST":
            answer = request.response()
            day.tally.failed_refreshes += answer is None or not answer.ok

    def failed(request: Request) -> None:
        day.in_flight.discard(request)
        day.tally.failed_refreshes += REFRESH in request.url and request.method == "POST"

    day.world.context.on("request", asked)
    day.world.context.on("requestfinished", answered)
    day.world.context.on("requestfailed", failed)


def _sum_up(day: Day) -> None:
    counters, heard = day.world.counters(), day.world.heard()
    tally = day.tally
    tally.refreshes = counters["renewed"] + counters["same_jwt"]
    tally.exchanges = counters["exchanges"]
    tally.typed = day.person.typed
    tally.own_dialogs = day.person.dialogs
    tally.states, tally.said_again = day.person.states, day.person.said_again
    tally.heard.clear()
    tally.heard.update(entry["text"] for entry in heard)
    tally.heard_as_guest = sum(entry["identity"] is None for entry in heard)


def told(line: str) -> None:
    """Tell whoever waits at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Print a day; return 1 if it missed a goal."""
    parser = argparse.ArgumentParser(description="A day of one browser with five tabs.")
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--browser", choices=("chromium", "firefox"), default="chromium")
    chosen = parser.parse_args()
    # Every outage is scripted: what the services log of it is no news.
    logging.disable(logging.ERROR)
    with sync_playwright() as playwright:
        if chosen.browser == "chromium":
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        else:
            browser = playwright.firefox.launch(
                channel="moz-firefox", executable_path="/usr/bin/firefox-esr"
            )
        tally = live_a_day(browser, hours=chosen.hours, seed=chosen.seed, say=told)
        browser.close()
    told(f"\n{chosen.hours:g} hours, seed {chosen.seed}, {chosen.browser}\n\n{tally.table()}")
    told("\nstates: " + ", ".join(f"{many} x {one}" for one, many in tally.states.most_common()))
    for miss in tally.misses:
        told(f"MISSED: {miss}")
    return 1 if tally.misses else 0


if __name__ == "__main__":
    sys.exit(main())

"""A day as a script: which trouble comes in which minute, the same for the same seed."""

import random  # noqa: TID251 - seeded: a day that went wrong can be lived again
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Trouble(StrEnum):
    """What happens to people, machines and services in the course of a day."""

    SLEEP = "the machine sleeps"
    AWAY = "no tab is in front"
    PROVIDER_OUTAGE = "the provider is down"
    GENESYS_BURST = "Genesys answers 503"
    BURST_AT_RENEWAL = "Genesys answers 503 to a renewal"
    RESTART = "the BFF restarts"
    NETWORK_CUT = "the network is gone"
    SOCKETS_CUT = "all sockets are cut"
    CLOCK_FORWARD = "the browser's clock jumps an hour ahead"
    CLOCK_BACK = "the browser's clock jumps an hour back"
    SEALING_KEY = "new sealing keys"
    SIGNING_KEY = "new signing keys"
    RELOAD = "a reload"
    NEW_TAB = "a tab is closed and another opened"


LASTS: Final = {
    Trouble.SLEEP: (20, 50),
    Trouble.AWAY: (15, 40),
    Trouble.PROVIDER_OUTAGE: (8, 25),
    Trouble.GENESYS_BURST: (3, 8),
    Trouble.NETWORK_CUT: (1, 6),
    Trouble.CLOCK_FORWARD: (20, 60),
    Trouble.CLOCK_BACK: (20, 60),
}
"""Minutes, at least and at most; everything else is a moment."""

SHORT: Final = 0.25
"""How much of these a day of two hours or less has room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One trouble and when it comes, in minutes since the sign-in."""

    at: int
    trouble: Trouble
    lasts: int


def script_of(hours: float, seed: int) -> list[Happening]:
    """Return a day: each trouble once for every four hours begun, in an order of its own."""
    dice = random.Random(seed)
    rounds = max(1, round(hours / 4))
    coming = [trouble for trouble in Trouble for _ in range(rounds)]
    dice.shuffle(coming)
    return list(_spread(coming, int(hours * 60), dice, scale=1 if hours > 2 else SHORT))


def _spread(
    coming: list[Trouble], minutes: int, dice: random.Random, *, scale: float
) -> Iterator[Happening]:
    """Give each its share of the day, so that all of it is troubled and some troubles meet."""
    share = minutes / len(coming)
    for place, trouble in enumerate(coming):
        least, most = LASTS.get(trouble, (0, 0))
        lasts = round(dice.randint(least, most) * scale)
        at = int(place * share + dice.random() * share / 2)
        yield Happening(at=at, trouble=trouble, lasts=max(lasts, 1) if most else 0)

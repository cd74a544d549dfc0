"""Advice about the page around the chat: sign-ins, addresses, storage, clocks, what is missing."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from bff.flow_ports import FlowStep
from bff.inspector.advice_shape import Rule, Rules, Seen, Weight, seen
from bff.inspector.flow_events import FlowEvent, PageStep
from bff.inspector.flow_story import Story

LOOP_MS: Final = 5 * 60_000
LOOP_SIGN_INS: Final = 4
LOOP_CODES: Final = 12
SKEW_MS: Final = 30_000
LEAVES_MS: Final = 20_000
HANDOVER_MS: Final = 30_000


def _loop(story: Story) -> Seen | None:
    calls = story.of(PageStep.COMMAND_CALLED)
    codes = [one for one in calls if one.text("name") == "getAuthCode"]
    again = [one for one in calls if one.text("name") == "reAuthenticate"]
    begun = story.of(FlowStep.SIGN_IN_STARTED)
    for found, most in ((begun, LOOP_SIGN_INS), (again, LOOP_SIGN_INS), (codes, LOOP_CODES)):
        crowd = _crowd(found, most)
        if crowd:
            return seen(crowd, "The sign-in began anew {n} within five minutes.")
    return None


def _crowd(found: Sequence[FlowEvent], most: int) -> list[FlowEvent]:
    for start in found:
        near = [one for one in found if 0 <= one.at_ms - start.at_ms <= LOOP_MS]
        if len(near) >= most:
            return near
    return []


def _skew(story: Story) -> Seen | None:
    for tab in sorted({one.tab for one in story.events if one.tab}):
        # A batch that was long on its way looks like a slow clock: the least of them is the truth.
        told = [one for one in story.events if one.tab == tab and "skew_ms" in one.facts]
        least = min((one.number("skew_ms") for one in told), default=0)
        if abs(least) > SKEW_MS:
            way = "slow" if least > 0 else "fast"
            words = f"The clock of this device is {abs(round(least / 1000))} s {way}."
            return seen(told[:1], words)
    return None


def _address(story: Story) -> Seen | None:
    found = story.of(PageStep.ADDRESS_CODE)
    return seen(found, "A code stood in the page's address seconds after the page had loaded, {n}.")


def _storage(story: Story) -> Seen | None:
    found = story.of(PageStep.STORAGE_SECRET)
    places = sorted(
        {f"{one.text('what')} in {one.text('where')}, “{one.text('key')}”" for one in found}
    )
    return seen(
        found, f"The page keeps secrets where any script can read them: {'; '.join(places)}."
    )


def _leaves_while_signing_in(story: Story) -> Seen | None:
    found = [
        one
        for one in story.of(PageStep.HEARD)
        if one.text("event") == "Auth.signingIn"
        and story.left(one.tab, one.at_ms, one.at_ms + LEAVES_MS)
    ]
    return seen(
        found, "The plugin listens to Auth.signingIn, and the page was left right after it, {n}."
    )


def _checked(story: Story) -> list[FlowEvent]:
    return [one for one in story.of(PageStep.CHECKED) if one.facts.get("shown") is True]


def _absent(story: Story) -> Seen | None:
    parts = ("genesys", "auth_ready")
    found = [one for one in _checked(story) if any(one.facts.get(part) is False for part in parts)]
    return seen(found, "Fifteen seconds after a page had loaded, its Messenger was not there, {n}.")


def _no_provider(story: Story) -> Seen | None:
    found = [
        one
        for one in _checked(story)
        if one.facts.get("genesys") is True and one.facts.get("provider") is False
    ]
    return seen(
        found, "Fifteen seconds after a page had loaded, nobody had registered AuthProvider, {n}."
    )


def _never_ready(story: Story) -> Seen | None:
    found = [
        one
        for one in _checked(story)
        if one.facts.get("provider") is True and one.facts.get("provider_ready") is False
    ]
    return seen(found, "AuthProvider was registered and never said that it is ready, {n}.")


def _person(story: Story) -> Seen | None:
    found = []
    for before, after in pairwise(story.of(FlowStep.SIGN_IN_FINISHED)):
        if before.text("person") == after.text("person"):
            continue
        until = after.at_ms + HANDOVER_MS
        gone = story.within(story.bus("Auth.loggedOut"), before.at_ms, until)
        if not gone and story.now_ms > until:
            found.append(after)
    return seen(found, "Somebody else signed in {n}, and Messenger was not logged out.")


def _incomplete(story: Story) -> Seen | None:
    found = story.of(PageStep.EVENTS_LOST, PageStep.RECORDER_LATE)
    return seen(found, "The recorder came late or lost events, {n}.")


PAGE_RULES: Final[Rules] = (
    Rule(
        code="sign_in_loop",
        weight=Weight.BROKEN,
        title="The sign-in goes round in circles",
        why="Each round looks successful to its own part, and the customer never arrives. "
        "Providers "
        "lock people out for it.",
        fix="Count attempts across page loads, stop at three, and say “Sign in” with a button.",
        look=_loop,
    ),
    Rule(
        code="clock_skew",
        weight=Weight.RISKY,
        title="The clock of this device is wrong",
        why="A timer set to exp minus now fires at once, for ever, or never.",
        fix="Measure a life as exp minus iat from the moment the JWT came; do not compare exp with "
        "Date.now().",
        look=_skew,
    ),
    Rule(
        code="code_in_address",
        weight=Weight.RISKY,
        title="A code stays in the page's address",
        why="It goes into history, bookmarks, analytics and the Referer header, and a reload "
        "presents it a second time.",
        fix="Take it out with history.replaceState before anything else runs, or let a server "
        "receive "
        "it.",
        look=_address,
    ),
    Rule(
        code="secret_in_storage",
        weight=Weight.RISKY,
        title="A token or verifier lies in web storage",
        why="Every script of the page can read it, and it stays when the browser is closed.",
        fix="Keep it on a server behind an HttpOnly cookie, or in memory at the most.",
        look=_storage,
    ),
    Rule(
        code="leaves_in_signing_in",
        weight=Weight.BROKEN,
        title="The page navigates when Messenger says “signing in”",
        why="Auth.signingIn tells that signIn runs. Leaving in its handler cuts the command off "
        "before the code is handed over.",
        fix="Start the sign-in in the signIn command, and let Auth.signingIn be.",
        look=_leaves_while_signing_in,
    ),
    Rule(
        code="messenger_absent",
        weight=Weight.BROKEN,
        title="Messenger did not start",
        why="The snippet is there, its script is not: blocked, refused for this domain, or a wrong "
        "deployment.",
        fix="Look for a Content-Security-Policy that stops it, for the allowed domains of the "
        "deployment, and for its id and region.",
        look=_absent,
    ),
    Rule(
        code="provider_missing",
        weight=Weight.BROKEN,
        title="Nobody registered AuthProvider",
        why="Messenger with authentication waits for it, and publishes Auth.authProviderError.",
        fix="Load the plugin's script on this page, and register under the exact name "
        "AuthProvider.",
        look=_no_provider,
    ),
    Rule(
        code="provider_never_ready",
        weight=Weight.BROKEN,
        title="AuthProvider is never ready",
        why="Without ready() Messenger does not ask it for anything.",
        fix="Call AuthProvider.ready() as the last line of the registration; an exception before "
        "it "
        "has the same effect.",
        look=_never_ready,
    ),
    Rule(
        code="person_changed",
        weight=Weight.RISKY,
        title="Another person signed in, and the chat is the first one's",
        why="Messenger keeps its tokens: what the second person writes is sent in the first one's "
        "name.",
        fix="Run Auth.logout before somebody else is let in.",
        look=_person,
    ),
    Rule(
        code="recording_incomplete",
        weight=Weight.HINT,
        title="The recording has gaps",
        why="What is not in it cannot be judged.",
        fix="Put the recorder's script before Genesys' snippet, and keep the page open until it "
        "has "
        "sent its events.",
        look=_incomplete,
    ),
)

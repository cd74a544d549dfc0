"""Advice about the AuthProvider's commands: registered, called, settled."""

from typing import Final

from bff.flow_ports import FlowStep
from bff.inspector.advice_shape import Rule, Rules, Seen, Weight, seen
from bff.inspector.flow_events import FlowEvent, PageStep
from bff.inspector.flow_story import AUTHENTICATED, Call, Story

PATIENCE_MS: Final = 20_000
AFTERWARDS_MS: Final = 30_000
AROUND_MS: Final = 5_000
LEAVING_MS: Final = 10_000
WAITS_FOR_A_PERSON: Final = frozenset({"signIn", "reAuthenticate"})
ASKS_A_PERSON: Final = frozenset({"signing-in"})


def _same_code(story: Story) -> Seen | None:
    known: set[str] = set()
    again: list[FlowEvent] = []
    for one in story.of(PageStep.COMMAND_SETTLED):
        code = one.text("code")
        # A second settle of one call is another fault.
        if code and code in known and one.number("times") < 2:  # noqa: PLR2004 - the second
            again.append(one)
        known.add(code)
    names = ", ".join(sorted({one.text("name") for one in again}))
    return seen(
        again, f"A code that had been handed out before was handed out again {{n}}: {names}."
    )


def _settled_twice(story: Story) -> Seen | None:
    twice = [one for one in story.of(PageStep.COMMAND_SETTLED) if one.number("times") > 1]
    names = ", ".join(sorted({one.text("name") for one in twice}))
    return seen(twice, f"A command was settled after it was settled already, {{n}}: {names}.")


def _never_settled(story: Story) -> Seen | None:
    hanging = [
        call
        for call in story.calls
        if not call.settled
        and story.now_ms - call.at_ms > PATIENCE_MS
        and not story.left(call.tab, call.at_ms, story.now_ms)
        and not _waits_for_a_person(story, call)
    ]
    names = ", ".join(sorted({call.name for call in hanging}))
    words = f"A command had no answer after {PATIENCE_MS // 1000} s, {{n}}: {names}."
    return seen([call.at_ms for call in hanging], words)


def _waits_for_a_person(story: Story, call: Call) -> bool:
    if call.name not in WAITS_FOR_A_PERSON:
        return False
    states = [one for one in story.of(PageStep.STATE, tab=call.tab) if one.at_ms >= call.at_ms]
    return bool(states) and states[-1].text("state") in ASKS_A_PERSON


def _registered_inside(story: Story) -> Seen | None:
    found = [one for one in story.of(PageStep.COMMAND_REGISTERED) if one.text("inside")]
    pairs = ", ".join(sorted({f"{one.text('name')} inside {one.text('inside')}" for one in found}))
    return seen(found, f"A command was registered while another one ran, {{n}}: {pairs}.")


def _foreign_name(story: Story) -> Seen | None:
    found = [one for one in story.of(PageStep.COMMAND_REGISTERED) if "." in one.text("name")]
    names = ", ".join(sorted({one.text("name") for one in found}))
    return seen(found, f"The plugin registered a name that is not its own, {{n}}: {names}.")


def _no_sign_in(story: Story) -> Seen | None:
    known: dict[str, int] = {}
    for one in story.of(PageStep.COMMAND_SETTLED):
        known.setdefault(one.text("code"), one.at_ms)
    found = []
    for call in story.calls_of("reAuthenticate"):
        done = call.resolved
        if done is None or story.left(call.tab, call.at_ms, done.at_ms + LEAVING_MS):
            continue
        fresh = done.text("code") and known[done.text("code")] == done.at_ms
        signs = story.of(FlowStep.SIGN_IN_FINISHED, FlowStep.CODE_MINTED)
        if not fresh and not story.within(signs, call.at_ms, done.at_ms):
            found.append(done)
    return seen(found, "reAuthenticate was resolved {n}, and nobody had signed in.")


def _nothing_followed(story: Story) -> Seen | None:
    found = []
    for call in story.calls_of("reAuthenticate"):
        done = call.resolved
        if done is None or story.now_ms < done.at_ms + AFTERWARDS_MS:
            continue
        until = done.at_ms + AFTERWARDS_MS
        came = story.within(story.bus(AUTHENTICATED), call.at_ms, until)
        if not came and not story.left(call.tab, call.at_ms, until):
            found.append(done)
    return seen(
        found,
        f"reAuthenticate was resolved {{n}} and no JWT came within {AFTERWARDS_MS // 1000} s.",
    )


def _published(story: Story, call: Call, name: str, at_ms: int) -> bool:
    told = [one for one in story.of(PageStep.PUBLISHED, tab=call.tab) if one.text("event") == name]
    return bool(story.within(told, call.at_ms, at_ms + AROUND_MS))


def _failure_untold(story: Story) -> Seen | None:
    found = [
        call.settled[0]
        for call in story.calls_of("signIn")
        if call.settled
        and call.resolved is None
        and story.now_ms > call.settled[0].at_ms + AROUND_MS
        and not _published(story, call, "signInFailed", call.settled[0].at_ms)
    ]
    return seen(found, "signIn was rejected {n} and signInFailed was not published.")


def _success_untold(story: Story) -> Seen | None:
    found = [
        done
        for call in story.calls_of("signIn")
        if (done := call.resolved) is not None
        and done.text("code")
        and story.now_ms > done.at_ms + AROUND_MS
        and not _published(story, call, "signedIn", done.at_ms)
    ]
    return seen(found, "signIn was resolved with a code {n} and signedIn was not published.")


def _data_missing(story: Story) -> Seen | None:
    found = []
    for call in story.calls_of("getAuthCode"):
        done = call.resolved
        shape = set(done.text("shape").split(",")) if done is not None else set()
        whole = {"authCode", "redirectUri"} <= shape or "idToken" in shape
        if done is not None and not whole:
            found.append(done)
    return seen(found, "getAuthCode was resolved {n} without authCode and redirectUri.")


COMMAND_RULES: Final[Rules] = (
    Rule(
        code="same_code_again",
        weight=Weight.BROKEN,
        title="The same authorization code is handed out again",
        why="A code can be redeemed once. Genesys asks for one at every load, after every new "
        "sign-in and when a refresh fails; a used one ends in an error, or in “Re-authenticate”.",
        fix="Fetch a fresh code inside each getAuthCode, and keep none in a variable or in "
        "storage.",
        look=_same_code,
    ),
    Rule(
        code="settled_twice",
        weight=Weight.BROKEN,
        title="A command is answered twice",
        why="One command takes one resolve or reject. The second is at best ignored, and its data "
        "with it.",
        fix="Make each handler one promise, and call e.resolve or e.reject where it ends, nowhere "
        "else.",
        look=_settled_twice,
    ),
    Rule(
        code="never_settled",
        weight=Weight.BROKEN,
        title="A command is never answered",
        why="Messenger's bus has no time-out: whoever called waits for ever, and the customer with "
        "them.",
        fix="Give every path of the handler an end, also cancelled, refused, offline and too late. "
        "Only a page that is being left may stay silent.",
        look=_never_settled,
    ),
    Rule(
        code="registered_inside",
        weight=Weight.BROKEN,
        title="A command is registered inside another command",
        why="Until the outer command has run, Messenger finds no such command; and each run "
        "registers it once more.",
        fix="Register getAuthCode, reAuthenticate and signIn next to each other, before ready().",
        look=_registered_inside,
    ),
    Rule(
        code="foreign_name",
        weight=Weight.BROKEN,
        title="The plugin registers a command of Genesys' own",
        why="Auth.* belongs to Genesys' Auth plugin. Such a command is never called, or the "
        "registration fails and everything behind it with it.",
        fix="Register only getAuthCode, reAuthenticate and signIn. Auth.refreshToken is for you to "
        "call.",
        look=_foreign_name,
    ),
    Rule(
        code="reauthenticate_without_sign_in",
        weight=Weight.BROKEN,
        title="reAuthenticate says “done” and nobody signed in",
        why="Messenger calls it when refresh token and code are worth nothing any more. With the "
        "old code, or with none, the next exchange fails as well.",
        fix="Get a fresh code silently if the brand's session lives, else really sign in; resolve "
        "after that with the new data.",
        look=_no_sign_in,
    ),
    Rule(
        code="reauthenticate_led_nowhere",
        weight=Weight.BROKEN,
        title="After reAuthenticate nothing happens",
        why="“Re-authenticating…” stays until the customer closes the page. The code that was "
        "resolved is usually spent, or getAuthCode hands out the same one.",
        fix="Resolve with one fresh code, let getAuthCode mint another, and call Auth.getTokens if "
        "no Auth.authenticated came within ten seconds.",
        look=_nothing_followed,
    ),
    Rule(
        code="sign_in_failed_untold",
        weight=Weight.RISKY,
        title="A failed sign-in is not published",
        why="Messenger leaves its “signing in” state on AuthProvider.signInFailed only; a reject "
        "alone does not reset it.",
        fix="Publish signInFailed with the error, and then reject.",
        look=_failure_untold,
    ),
    Rule(
        code="signed_in_untold",
        weight=Weight.RISKY,
        title="A finished sign-in is not published",
        why="Messenger starts again as this person when AuthProvider.signedIn comes.",
        fix="Publish signedIn with the same data that signIn is resolved with.",
        look=_success_untold,
    ),
    Rule(
        code="auth_data_missing",
        weight=Weight.BROKEN,
        title="getAuthCode gives no code",
        why="Without authCode and redirectUri there is nothing to exchange: Messenger publishes "
        "Auth.authError.",
        fix="Reject if nobody is signed in; else resolve with authCode and redirectUri, and "
        "codeVerifier, nonce and iss if the sign-in had them.",
        look=_data_missing,
    ),
)

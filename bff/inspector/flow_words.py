"""An event in plain words: its lane, how bad it is, and a sentence."""

from enum import StrEnum
from typing import Final

from bff.flow_ports import FlowStep
from bff.inspector.flow_events import FlowEvent, PageStep


class Lane(StrEnum):
    """Where on the timeline an event stands; a tab has a lane of its own."""

    PROVIDER = "provider"
    SERVER = "server"
    GENESYS = "genesys"
    TAB = "tab"


class Level(StrEnum):
    """How it looks on the timeline."""

    GOOD = "good"
    PLAIN = "plain"
    ODD = "odd"
    BAD = "bad"


_SERVER: Final[dict[str, tuple[Lane, Level, str]]] = {
    FlowStep.SIGN_IN_STARTED: (Lane.PROVIDER, Level.PLAIN, "Sign-in begins at “{provider}”"),
    FlowStep.SIGN_IN_FINISHED: (Lane.PROVIDER, Level.GOOD, "Signed in; a session begins"),
    FlowStep.SIGN_IN_FAILED: (Lane.PROVIDER, Level.BAD, "The sign-in failed: {reason}"),
    FlowStep.TOKENS_KEPT: (Lane.SERVER, Level.PLAIN, "The provider's tokens are kept"),
    FlowStep.SESSION_ENDED: (Lane.SERVER, Level.ODD, "The session ended: {reason}"),
    FlowStep.CODE_MINTED: (Lane.SERVER, Level.PLAIN, "Code {code} is minted, good for {life_s} s"),
    FlowStep.CODE_REDEEMED: (Lane.GENESYS, Level.GOOD, "Genesys redeems code {code}"),
    FlowStep.CODE_REFUSED: (Lane.GENESYS, Level.BAD, "Code {code} is refused: {why}"),
    FlowStep.GENESYS_REFRESHED: (Lane.GENESYS, Level.GOOD, "Genesys refreshes its access token"),
    FlowStep.GENESYS_REFRESH_REFUSED: (Lane.GENESYS, Level.BAD, "Refresh refused: {why}"),
    FlowStep.PROVIDER_REFRESHED: (Lane.PROVIDER, Level.GOOD, "The provider renews its tokens"),
    FlowStep.PROVIDER_REFUSED: (Lane.PROVIDER, Level.BAD, "The provider refuses to renew"),
    FlowStep.PROVIDER_SILENT: (Lane.PROVIDER, Level.ODD, "The provider does not answer"),
}

_PAGE: Final[dict[str, tuple[Level, str]]] = {
    PageStep.PAGE_LOADED: (Level.PLAIN, "Page loaded"),
    PageStep.PAGE_LEFT: (Level.PLAIN, "Page left"),
    PageStep.VISIBLE: (Level.PLAIN, "Tab visible"),
    PageStep.HIDDEN: (Level.PLAIN, "Tab hidden"),
    PageStep.ONLINE: (Level.PLAIN, "Online again"),
    PageStep.OFFLINE: (Level.ODD, "Offline"),
    PageStep.SLEPT: (Level.ODD, "Slept for {seconds} s"),
    PageStep.CHECKED: (Level.PLAIN, "Looked after 15 s at what is there"),
    PageStep.REGISTERED: (Level.PLAIN, "AuthProvider is registered"),
    PageStep.READY: (Level.PLAIN, "AuthProvider is ready"),
    PageStep.COMMAND_REGISTERED: (Level.PLAIN, "Command {name} is registered"),
    PageStep.COMMAND_CALLED: (Level.PLAIN, "Messenger calls {name}"),
    PageStep.COMMAND_SETTLED: (Level.PLAIN, "{name} is {how}"),
    PageStep.PUBLISHED: (Level.PLAIN, "AuthProvider publishes {event}"),
    PageStep.SUBSCRIBED: (Level.PLAIN, "The {by} listens to {event}"),
    PageStep.HEARD: (Level.PLAIN, "The {by} hears {event}"),
    PageStep.BUS: (Level.PLAIN, "{event}"),
    PageStep.ASKED: (Level.PLAIN, "The {by} calls {name}"),
    PageStep.ANSWERED: (Level.PLAIN, "{name} is {how}"),
    PageStep.STATE: (Level.PLAIN, "Plugin: {state}"),
    PageStep.ADDRESS_CODE: (Level.BAD, "A code stands in the page's address"),
    PageStep.STORAGE_SECRET: (Level.BAD, "A {what} lies in {where}: {key}"),
    PageStep.RECORDER_LATE: (Level.ODD, "The recorder came after the plugin"),
    PageStep.EVENTS_LOST: (Level.ODD, "{count} events were lost"),
}

_GOOD_EVENTS: Final = frozenset({"Auth.authenticated", "Auth.signedIn", "MessagingService.started"})
_BAD_STATES: Final = frozenset({"halted", "stuck", "unavailable", "sign-in-failed"})


def words_of(event: FlowEvent) -> tuple[Lane, Level, str]:
    """Return the lane, the level and a sentence for an event."""
    if event.step in _SERVER:
        lane, level, text = _SERVER[event.step]
        return lane, level, _filled(text, event)
    level, text = _PAGE.get(event.step, (Level.PLAIN, event.step))
    words = _filled(text, event) + _more(event)
    return Lane.TAB, _level(event, level), words


def _level(event: FlowEvent, level: Level) -> Level:
    name = event.text("event")
    bad = (
        (event.step == PageStep.BUS and name.lower().endswith(("error", "failed")))
        or event.text("state") in _BAD_STATES
        or event.number("times") > 1
        or (event.step == PageStep.COMMAND_REGISTERED and (event.text("inside") or _foreign(event)))
    )
    if bad:
        return Level.BAD
    if event.text("how") == "rejected":
        return Level.ODD
    return Level.GOOD if event.step == PageStep.BUS and name in _GOOD_EVENTS else level


def _foreign(event: FlowEvent) -> bool:
    return "." in event.text("name")


def _more(event: FlowEvent) -> str:
    """Return what a reader wants to know beyond the sentence."""
    parts = [
        f"with code {event.text('code')}" if event.text("code") else "",
        f"JWT {event.text('jwt')}" if event.text("jwt") else "",
        f"inside {event.text('inside')}" if event.text("inside") else "",
        "for the second time" if event.number("times") > 1 else "",
        "(forceUpdate)" if event.facts.get("force") is True else "",
        f"({event.text('reason')})" if event.text("reason") else "",
        f"“{event.text('message')}”" if event.text("message") else "",
    ]
    said = " ".join(part for part in parts if part)
    return f" {said}" if said else ""


def _filled(text: str, event: FlowEvent) -> str:
    for name in ("provider", "reason", "code", "life_s", "why", "seconds", "name", "how", "event"):
        text = text.replace("{" + name + "}", event.text(name))
    for name in ("by", "state", "what", "where", "key", "count"):
        text = text.replace("{" + name + "}", event.text(name))
    return text

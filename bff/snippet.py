"""The script tag that a site pastes, with what its Content Security Policy must allow for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from textwrap import indent
from typing import Final

from bff.page_scripts import PageScript, PageScripts
from bff.resources import static_folder

PLUGIN: Final = "messenger-auth"
NONCE: Final = "NONCE"
"""What stands where each page puts its own: a nonce that is printed once is worth nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnippetPlan:
    """What the tag should say, and where the service is."""

    public_url: str
    deployment: str | None = None
    surface: str | None = None
    with_nonce: bool = False


def snippet(plan: SnippetPlan) -> str:
    """Return both tags to choose from, and the lines for the policy."""
    return "\n".join(_paragraphs(plan, PageScripts(static_folder()).current(PLUGIN)))


def following_tag(plan: SnippetPlan, script: PageScript) -> str:
    """Return the tag whose script is whatever the service has installed."""
    return _tag(plan, {"src": plan.public_url + script.alias})


def pinned_tag(plan: SnippetPlan, script: PageScript) -> str:
    """Return the tag that loads these bytes or nothing."""
    pinned = {"integrity": script.integrity, "crossorigin": "anonymous"}
    return _tag(plan, {"src": plan.public_url + script.path, **pinned})


def policy(plan: SnippetPlan) -> dict[str, str]:
    """Return what a page's policy must allow, by directive."""
    by_nonce = f"'nonce-{NONCE}'"
    return {
        "script-src": by_nonce if plan.with_nonce else plan.public_url,
        "connect-src": plan.public_url,
    }


def _tag(plan: SnippetPlan, source: dict[str, str]) -> str:
    words = {
        **source,
        "nonce": NONCE if plan.with_nonce else None,
        "data-deployment": plan.deployment,
        "data-surface": plan.surface,
    }
    given = [f'{name}="{escape(value)}"' for name, value in words.items() if value]
    return f"<script defer {' '.join(given)}></script>"


def _paragraphs(plan: SnippetPlan, script: PageScript) -> Iterator[str]:
    yield "Paste one of these after the snippet that Genesys gives you.\n"
    yield "1. The tag that follows the service: after an upgrade pages have the new script within"
    yield "   five minutes, and nobody touches them. Choose this one if you are not sure.\n"
    yield following_tag(plan, script) + "\n"
    yield "2. The tag that is pinned: browsers run exactly these bytes and refuse any other, and"
    yield "   keep them for a year. The dialog and the guest chat are loaded by name, unpinned."
    yield "   An upgrade of the service needs a new tag in the same deployment: run this again,"
    yield "   until then the page has no plugin.\n"
    yield pinned_tag(plan, script) + "\n"
    yield "Add to the page's Content-Security-Policy, beside what Genesys asks for:\n"
    yield from (f"  {name} {sources};" for name, sources in policy(plan).items())
    yield "\nOnly where it is used, add as well:\n"
    yield indent("\n".join(_rarely(plan)), "  ")
    if plan.with_nonce:
        yield f"\nPut a new random value in the place of both {NONCE} in each answer."


def _rarely(plan: SnippetPlan) -> Iterator[str]:
    socket = "ws" + plan.public_url.removeprefix("http")
    yield f"connect-src {socket};   a page that calls MessengerAuth.openGuestChat()"
    yield f"frame-src {plan.public_url} PROVIDER;   passthrough, or a sign-in in a frame;"
    yield "    PROVIDER is the origin of the identity provider's pages"

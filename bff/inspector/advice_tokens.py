"""Advice about codes, exchanges and JWTs: too early, too late, too old, refused."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from bff.flow_ports import FlowStep
from bff.inspector.advice_shape import Rule, Rules, Seen, Weight, seen
from bff.inspector.flow_events import FlowEvent, PageStep
from bff.inspector.flow_story import AUTHENTICATED, REFRESH, Life, Story

GRACE_MS: Final = 30_000
AFTER_WAKING_MS: Final = 15_000
TOGETHER_MS: Final = 2_000
CAUSE_MS: Final = 5_000
CODE_LIFE_MS: Final = 60_000
AT_REST: Final = frozenset({"halted", "signing-in", "signed-out", "unavailable", "stuck"})


def _too_early(story: Story) -> Seen | None:
    found = []
    for one in story.asked(REFRESH):
        life = story.life_at(one.at_ms)
        if life is None or one.at_ms >= life.exp_ms or story.now_ms < life.exp_ms + GRACE_MS:
            continue
        end = life.exp_ms + GRACE_MS
        later = story.within(_tries(story, one.tab), one.at_ms + 1, end)
        if not story.renewed(life, end) and not later and not story.left(one.tab, one.at_ms, end):
            found.append(one)
    return seen(
        found,
        "Auth.refreshToken was called {n} before the JWT expired; it gave no new one, and nobody "
        "asked again.",
    )


def _tries(story: Story, tab: str | None) -> list[FlowEvent]:
    wanted = {REFRESH, "Auth.getTokens", "Auth.reAuthenticate"}
    return [one for one in story.of(PageStep.ASKED, tab=tab) if one.text("name") in wanted]


def _expired(story: Story) -> Seen | None:
    times = [life.exp_ms for life in story.lives if _died_in_sight(story, life)]
    return seen(times, "A JWT expired {n} while the page was visible, and no new one came.")


def _died_in_sight(story: Story, life: Life) -> bool:
    end = life.exp_ms + GRACE_MS
    if story.now_ms < end or story.renewed(life, end) or not story.visible(life.tab, life.exp_ms):
        return False
    ends = [*story.bus("Auth.loggedOut"), *story.of(FlowStep.SESSION_ENDED)]
    over = story.within(ends, life.at_ms, end) or story.left(life.tab, life.exp_ms, end)
    over = over or _slept_over(story, life)
    states = [one for one in story.of(PageStep.STATE, tab=life.tab) if one.at_ms <= end]
    return not over and not (states and states[-1].text("state") in AT_REST)


def _slept_over(story: Story, life: Life) -> bool:
    """Say whether the page slept when the JWT ended: what came of that is another question."""
    naps = story.of(PageStep.SLEPT, tab=life.tab)
    return any(
        one.at_ms - one.number("seconds") * 1000 <= life.exp_ms + GRACE_MS <= one.at_ms + GRACE_MS
        for one in naps
    )


def _slept(story: Story) -> Seen | None:
    found = []
    for one in story.of(PageStep.SLEPT):
        began, end = one.at_ms - one.number("seconds") * 1000, one.at_ms + AFTER_WAKING_MS
        life = story.life_at(one.at_ms)
        died = life is not None and began <= life.exp_ms <= one.at_ms
        tried = story.within(_tries(story, one.tab), one.at_ms - CAUSE_MS, end)
        if died and not tried and story.now_ms > end and not story.left(one.tab, one.at_ms, end):
            found.append(one)
    return seen(
        found, "The page slept {n} over the end of its JWT, and asked for none after waking."
    )


def _too_old(story: Story) -> Seen | None:
    begun: dict[str, tuple[int, int]] = {}
    for one in story.of(FlowStep.CODE_MINTED, PageStep.ADDRESS_CODE):
        life = one.number("life_s") * 1000 or CODE_LIFE_MS
        begun.setdefault(one.text("code"), (one.at_ms, life))
    found = []
    for one in story.of(PageStep.COMMAND_SETTLED):
        at_ms, life = begun.get(one.text("code"), (one.at_ms, CODE_LIFE_MS))
        if one.text("code") and one.at_ms - at_ms > life:
            found.append(one)
    return seen(found, "A code was too old when it was handed out, {n}.")


def _refused_for(word: str, story: Story) -> list[FlowEvent]:
    return [one for one in story.of(FlowStep.CODE_REFUSED) if word in one.text("why")]


def _redirect_uri(story: Story) -> Seen | None:
    found = _refused_for("redirect_uri", story)
    return seen(
        found, "Genesys showed another client or redirect URI than the code was made for, {n}."
    )


def _verifier(story: Story) -> Seen | None:
    return seen(
        _refused_for("code_verifier", story), "The PKCE verifier did not fit the code, {n}."
    )


def _spent(story: Story) -> Seen | None:
    return seen(
        _refused_for("used", story), "Genesys tried to redeem a code that was used or too old, {n}."
    )


def _exchange(story: Story) -> Seen | None:
    known = story.of(FlowStep.CODE_REFUSED)
    found = [
        one
        for one in story.bus("Auth.error")
        if not story.within(known, one.at_ms - CAUSE_MS, one.at_ms + CAUSE_MS)
    ]
    said = found[-1].text("message") if found else ""
    return seen(
        found, "Genesys could not exchange the code, {n}" + (f": “{said}”." if said else ".")
    )


def _refresh_refused(story: Story) -> Seen | None:
    found = story.bus("Auth.tokenError")
    said = found[-1].text("message") if found else ""
    return seen(
        found, "Genesys gave no JWT for the refresh token, {n}" + (f": “{said}”." if said else ".")
    )


def _no_refresh_token(story: Story) -> Seen | None:
    givers = [*story.bus(AUTHENTICATED), *story.of(FlowStep.CODE_REDEEMED, FlowStep.TOKENS_KEPT)]
    found = [one for one in givers if one.facts.get("refresh_token") is False]
    return seen(found, "Tokens came without a refresh token, {n}.")


def _together(story: Story) -> Seen | None:
    return seen(
        _crowds(story.asked(REFRESH)), "Two tabs asked for a refresh within two seconds, {n}."
    )


def _crowds(asked: Sequence[FlowEvent]) -> Iterator[FlowEvent]:
    for one, other in pairwise(asked):
        if one.tab != other.tab and other.at_ms - one.at_ms <= TOGETHER_MS:
            yield other


TOKEN_RULES: Final[Rules] = (
    Rule(
        code="refresh_too_early",
        weight=Weight.BROKEN,
        title="The refresh comes too early, and only once",
        why="Genesys gives no new JWT while the old one is good, and then no event comes either. "
        "A timer that is re-armed by Auth.authenticated stops here for good.",
        fix="If no JWT with a later exp came, ask again right after the old one has expired.",
        look=_too_early,
    ),
    Rule(
        code="expired_in_sight",
        weight=Weight.RISKY,
        title="The JWT expired in front of the customer",
        why="The open socket lives on, but the next reload, tab or reconnect shows "
        "“Re-authenticate”.",
        fix="Renew when the JWT ends, whatever the last attempt gave. If the plugin renews on "
        "demand "
        "only, this is its policy.",
        look=_expired,
    ),
    Rule(
        code="woke_expired",
        weight=Weight.RISKY,
        title="The computer slept through the refresh",
        why="Timers stand still in sleep. One that was armed for the moment of expiry fires late, "
        "or counts on from where it stood.",
        fix="Compare clocks when the page wakes: on visibilitychange, online, pageshow and "
        "focus, and "
        "with a tick while it is visible.",
        look=_slept,
    ),
    Rule(
        code="code_too_old",
        weight=Weight.BROKEN,
        title="A code is handed out after its time",
        why="Codes live a minute or a few. One from the page's load is dead when Messenger asks "
        "again.",
        fix="Fetch a code when getAuthCode is called, and throw it away if the answer took long.",
        look=_too_old,
    ),
    Rule(
        code="redirect_uri_mismatch",
        weight=Weight.BROKEN,
        title="The redirect URI is not the one of the sign-in",
        why="It must be equal to the letter in the authorization request and in the exchange "
        "(RFC 6749, 4.1.3); a slash at the end is a difference.",
        fix="Resolve with the redirectUri that the code came with, and compare client id and "
        "redirect "
        "URI with the Genesys integration.",
        look=_redirect_uri,
    ),
    Rule(
        code="verifier_mismatch",
        weight=Weight.BROKEN,
        title="The PKCE verifier does not fit",
        why="Every code belongs to one verifier (RFC 7636, 4.6). A second sign-in overwrites what "
        "the first one kept.",
        fix="Hand the verifier out together with its code, from one record.",
        look=_verifier,
    ),
    Rule(
        code="code_spent",
        weight=Weight.BROKEN,
        title="A used code was redeemed again",
        why="The exchange fails, and a careful provider revokes what the first use gave "
        "(RFC 6749, 4.1.2): the chat that still works ends with it.",
        fix="Mint a code for each getAuthCode. Look for “the same code again” above.",
        look=_spent,
    ),
    Rule(
        code="exchange_failed",
        weight=Weight.BROKEN,
        title="Genesys could not exchange the code",
        why="Without a JWT nobody is signed in to the chat.",
        fix="Check the OpenID Connect integration in Genesys: discovery URI, client id and secret, "
        "active, and the code's provider reachable from there.",
        look=_exchange,
    ),
    Rule(
        code="refresh_refused",
        weight=Weight.RISKY,
        title="Genesys refused to refresh",
        why="The refresh token is spent or revoked, the person's session has ended, or the "
        "provider "
        "was away.",
        fix="Treat it as signed out for the chat only: a fresh code by getAuthCode, and a "
        "sign-in if "
        "there is none.",
        look=_refresh_refused,
    ),
    Rule(
        code="no_refresh_token",
        weight=Weight.RISKY,
        title="There is no refresh token",
        why="Then every expiry needs a new code, and a person once the sign-in is too old.",
        fix="Ask for the scope offline_access, and allow refresh tokens for this client at the "
        "provider.",
        look=_no_refresh_token,
    ),
    Rule(
        code="tabs_refresh_together",
        weight=Weight.HINT,
        title="Several tabs refresh at once",
        why="All tabs share one refresh token. Where it is rotated, the second use can revoke it.",
        fix="Let one tab refresh for all: Web Locks with a time-out, and a look at whether it has "
        "happened already.",
        look=_together,
    ),
)

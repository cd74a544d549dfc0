"""Somebody with five tabs, one of them in front, who chats whenever it works."""

from collections import Counter
from typing import Final

from playwright.sync_api import Error
from world import World

from bff.simulator.shopper import Shopper

TABS: Final = 5
ECHO_LIMIT_MS: Final = 5_000
LOOKS: Final = 2
SHUT_LIMIT_MS: Final = 1_000
PATHS: Final = ("/", "/orders")

EYES: Final = """
(() => {
  const kept = (name, value) => {
    try {
      if (value !== undefined) sessionStorage.setItem('soak-' + name, value);
      return sessionStorage.getItem('soak-' + name);
    } catch {
      return null; // about:blank keeps nothing
    }
  };
  const away = () => kept('away') === 'yes';
  Object.defineProperty(Document.prototype, 'hidden', { get: away });
  Object.defineProperty(Document.prototype, 'visibilityState', {
    get: () => (away() ? 'hidden' : 'visible'),
  });
  window.__look = (isAway) => {
    kept('away', isAway ? 'yes' : 'no');
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    if (!isAway) window.dispatchEvent(new Event('focus'));
  };
  const { fetch } = window;
  window.__pending = 0;
  window.fetch = (...what) => {
    window.__pending += 1;
    return fetch(...what).finally(() => (window.__pending -= 1));
  };
  const { showModal } = HTMLDialogElement.prototype;
  HTMLDialogElement.prototype.showModal = function () {
    kept('dialogs', +(kept('dialogs') ?? 0) + 1);
    return showModal.call(this);
  };
  addEventListener('messenger-auth', ({ detail: { state, reason, code } }) => {
    const line = [state, reason, code].filter(Boolean).join(' ');
    kept('states', (kept('states') ?? '') + line + '\\n');
  });
  window.__seen = () => {
    const found = { dialogs: +(kept('dialogs') ?? 0), states: kept('states') ?? '' };
    kept('dialogs', 0);
    kept('states', '');
    return found;
  };
})();
"""
"""Which tab is in front, said by the test: a headless browser takes all of them for visible."""

STATE: Final = """() => document.querySelector('#genesys-messenger')?.shadowRoot
  ?.querySelector('[data-state]')?.dataset.state ?? 'loading'"""

CALM: Final = f"""() => !window.MessengerAuth
  || (MessengerAuth.status().renewal !== 'refreshing'
  && !['loading', 'reconnecting', 'reauthenticating'].includes(({STATE})()))"""


class Person:
    """The customer: looks at tabs, types, and says again what did not go out."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tabs: list[Shopper] = []
        self.front = 0
        self.is_away = False
        self.waiting: list[str] = []
        self.typed: list[str] = []
        self.dialogs = 0
        self.unsure: dict[str, int] = {}
        self.said_again = 0
        self.states: Counter[str] = Counter()

    @property
    def tab(self) -> Shopper:
        """Return the tab in front, or the one that was before the person left."""
        return self.tabs[self.front]

    def arrive(self) -> None:
        """Sign in once, then open the other tabs."""
        self.world.context.add_init_script(EYES)
        self.tabs.append(self.world.signed_in_tab())
        while len(self.tabs) < TABS:
            self._open_another()
        self.look_at(0)

    def look_at(self, place: int) -> None:
        """Bring a tab to the front; it takes the conversation over if another has it."""
        self._show(self.front, away=True)
        self.front = place
        if not self.is_away:
            self._show(place, away=False)

    def leave(self) -> None:
        """Put the browser behind another window."""
        self.is_away = True
        self._show(self.front, away=True)

    def come_back(self) -> None:
        """Look at the browser again."""
        self.is_away = False
        self._show(self.front, away=False)

    def reload(self) -> None:
        """Load the tab in front again."""
        self._note(self.tab)
        self.tab.page.reload()

    def change_a_tab(self) -> None:
        """Close the tab in front and open another one."""
        self._note(self.tab)
        self.tab.page.close()
        del self.tabs[self.front]
        self.front = 0
        self._open_another()
        if self.is_away:
            self._show(self.front, away=True)

    def think_of(self, text: str) -> None:
        """Want to say something."""
        self.typed.append(text)
        self.waiting.append(text)

    def waits_for_an_answer(self) -> bool:
        """Say whether the tab in front has asked somebody something."""
        return bool(self.tab.page.evaluate("() => window.__pending > 0"))

    def is_calm(self) -> bool:
        """Say whether nothing is under way in the tab in front."""
        return self.is_away or bool(self.tab.page.evaluate(CALM))

    def is_asked(self) -> bool:
        """Say whether the Messenger shows its Re-authenticate to the person."""
        return not self.is_away and bool(self.tab.page.evaluate(STATE) == "reauthenticate")

    def speak(self) -> None:
        """Say what is waiting, if the chat takes it; who has typed it presses Send once."""
        if not (self.waiting or self.unsure) or not self._may_speak():
            return
        self._look_again()
        while self.waiting and self._may_speak():
            if not self._say(self.waiting[0]):
                return
            self.waiting.pop(0)

    def _look_again(self) -> None:
        """Type once more what is not in the conversation two minutes after it was sent."""
        for text, looks in list(self.unsure.items()):
            if self.tab.message(text).count():
                del self.unsure[text]
            elif looks < LOOKS:
                self.unsure[text] = looks + 1
            else:
                del self.unsure[text]
                self.waiting.insert(0, text)
                self.said_again += 1

    def go_home(self) -> Counter[str]:
        """Close the day; return how often each text stands in the conversation."""
        for tab in self.tabs:
            self._note(tab)
        own = '[data-testid="messenger-message"][data-author="You"] p'
        return Counter(self.tab.page.locator(own).all_inner_texts())

    def _open_another(self) -> None:
        if self.tabs:
            self._show(self.front, away=True)
        tab = self.world.tab()
        tab.visit(PATHS[len(self.typed) % len(PATHS)])
        self.tabs.append(tab)
        self.front = len(self.tabs) - 1
        tab.open_messenger()

    def _show(self, place: int, *, away: bool) -> None:
        self.tabs[place].page.evaluate("(away) => window.__look(away)", away)

    def _may_speak(self) -> bool:
        if self.is_away:
            return False
        state = self.tab.page.evaluate(STATE)
        if state == "closed":
            # Genesys allows three sockets; the person presses "Use it here".
            self._press("messenger-resume")
        if state == "unavailable":
            self._press("messenger-retry")
        return bool(state == "authenticated")

    def _press(self, name: str) -> None:
        """Press at once: while a headless browser waits for a button to rest, it may be gone."""
        self.tab.part(name).dispatch_event("click")

    def _say(self, text: str) -> bool:
        page = self.tab.page
        field = self.tab.part("messenger-input")
        try:
            field.fill(text, timeout=SHUT_LIMIT_MS)
        except Error:
            return False  # the conversation went elsewhere while the hand was moving
        self._press("messenger-send")
        if field.input_value():
            return False
        try:
            self.tab.message(text).wait_for(timeout=ECHO_LIMIT_MS)
        except Error:
            # Not shown is not lost: it may be on its way, or come with the history.
            self.unsure[text] = 0
            self.states["no echo in " + str(page.evaluate(STATE))] += 1
        return True

    def _note(self, tab: Shopper) -> None:
        seen = tab.page.evaluate("() => window.__seen()")
        self.dialogs += seen["dialogs"]
        self.states.update(line for line in seen["states"].splitlines() if line)

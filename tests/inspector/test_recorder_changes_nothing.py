"""The recorder in a page of its own: what it sees, and that the page does not notice it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from one_playwright import one_playwright
from playwright.sync_api import Browser, Page, Route

from bff.resources import static_folder

SITE = "http://shop.localhost"
CODE = "code-of-amira-0123456789-abcdefghijklmnop"
RECORDER = (static_folder() / "messenger-inspector.js").read_text("utf-8")
TAG = '<script src="/static/messenger-inspector.js" data-record="always"></script>'
SNIPPET = """<script>
(function (g, e) {
  g._genesysJs = e;
  g[e] = g[e] || function () { (g[e].q = g[e].q || []).push(arguments) };
  g[e].t = 1; g[e].c = {deploymentId: 'd'};
})(window, 'Genesys');
</script>"""
# A bus as Genesys' is, of which the page keeps everything that it was given.
BUS = """<script>
window.seen = [];
window.commands = {};
window.subscriptions = {};
class Plugin {
  #name = 'AuthProvider';
  registerCommand(name, handler) {
    if (name.includes('.')) throw new Error('foreign name');
    commands[name] = handler;
    return this.#name;
  }
  publish(event, data) { seen.push(['publish', event, data]); }
  subscribe(event, callback) { subscriptions[event] = callback; return event; }
  command(name) { return Promise.reject(new Error('refused ' + name)); }
  ready() { seen.push(['ready', this.#name]); }
}
window.run = (name, data) => new Promise((done) => {
  const settled = [];
  const e = {data, settled, resolve(v) { this.settled.push(['resolved', v]); done(settled); },
             reject(v) { this.settled.push(['rejected', v]); done(settled); }};
  try { commands[name](e); } catch (error) { done([error.message]); }
});
window.start = () => {
  const stub = window.Genesys;
  window.Genesys = (action, ...rest) => {
    if (action === 'registerPlugin') rest[1](new Plugin());
    if (action === 'command') rest.at(-1)({message: 'no ' + rest[0]});
    if (action === 'subscribe') (window.heard ??= []).push(rest[0]);
    return undefined;
  };
  for (const entry of [...(stub?.q ?? [])]) window.Genesys(...entry);
};
</script>"""
PLUGIN = """<script>
Genesys('registerPlugin', 'AuthProvider', (P) => {
  window.plugin = P;
  P.registerCommand('getAuthCode', (e) => e.resolve({authCode: 'CODE', redirectUri: 'https://r'}));
  P.registerCommand('reAuthenticate', (e) => { e.resolve(); e.reject({message: 'late'}); });
  P.registerCommand('signIn', () => { throw new Error('thrown'); });
  try { P.registerCommand('Auth.refreshToken', () => {}); } catch (e) { seen.push(e.message); }
  P.ready();
});
</script>""".replace("CODE", CODE)


class Bff:
    """Answers for the BFF, and keeps what it is sent."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.bodies: list[str] = []
        self.away = False
        self.refuses = False
        self.starts = 0

    def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path.startswith("/static/"):
            route.fulfill(body=RECORDER, content_type="text/javascript")
        elif self.away:
            route.abort()
        elif path == "/inspector/start":
            self.starts += 1
            route.fulfill(status=403 if self.refuses else 201, json={"salt": "salt"})
        elif path == "/inspector/events":
            self.bodies.append(route.request.post_data or "")
            self.events += json.loads(self.bodies[-1])["events"]
            route.fulfill(status=204)
        else:
            route.fulfill(status=404, body="")

    def steps(self) -> list[str]:
        return [one["step"] for one in self.events]

    def facts(self, step: str) -> list[dict[str, Any]]:
        return [one["facts"] for one in self.events if one["step"] == step]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with one_playwright() as running:
        started = running.chromium.launch(executable_path="/usr/bin/chromium")
        yield started
        started.close()


@pytest.fixture
def bff() -> Bff:
    return Bff()


@pytest.fixture
def page(chromium: Browser, bff: Bff) -> Iterator[Page]:
    context = chromium.new_context()
    context.clock.install()
    context.route("**/*", bff.answer)
    yield context.new_page()
    context.close()


def show(page: Page, *parts: str, address: str = "/") -> None:
    html = f"<!doctype html><title>Shop</title>{''.join(parts)}"
    page.route(
        lambda url: url.partition("#")[0].partition("?")[0] == f"{SITE}/",
        lambda route: route.fulfill(body=html, content_type="text/html"),
    )
    page.goto(SITE + address)


def all_sent(page: Page) -> None:
    page.clock.run_for(1_000)
    page.wait_for_function("() => !MessengerInspector.waiting()")


def behaviour(page: Page) -> Any:
    """Drive the page's plugin through everything; return all that it and its bus noticed."""
    page.evaluate("() => start()")
    return page.evaluate(
        """async () => {
          const rejections = [];
          addEventListener('unhandledrejection', (e) => {
            rejections.push(e.reason.message);
            e.preventDefault();
          });
          const got = await run('getAuthCode', {forceUpdate: true});
          const again = await run('reAuthenticate');
          const thrown = await run('signIn');
          const event = plugin.subscribe('Auth.signingIn', () => {});
          plugin.publish('signedIn', {authCode: 'x'});
          plugin.command('Auth.getTokens');
          const ask = (no) => Genesys('command', 'Auth.logout', {}, () => {}, no);
          const asked = await new Promise(ask);
          await new Promise((later) => setTimeout(later, 20));
          return {got, again, thrown, event, asked, rejections, seen,
                  returned: Genesys('command', 'a', () => {}), config: Genesys.c ?? null};
        }"""
    )


ORDERS = {
    "first": [TAG, BUS, SNIPPET, PLUGIN],
    "between": [BUS, SNIPPET, TAG, PLUGIN],
    "last": [BUS, SNIPPET, PLUGIN, TAG],
    "without a snippet": [TAG, BUS, "<script>start()</script>", PLUGIN],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_page_behaves_the_same_with_it_and_without(
    page: Page, chromium: Browser, bff: Bff, order: list[str]
) -> None:
    context = chromium.new_context()
    context.route("**/*", bff.answer)
    bare = context.new_page()
    show(bare, *(part for part in order if part != TAG))
    show(page, *order)
    page.clock.resume()

    without, behind_glass = behaviour(bare), behaviour(page)
    context.close()
    all_sent(page)

    assert behind_glass == without
    assert without["again"] == [["resolved", None], ["rejected", {"message": "late"}]]
    assert without["rejections"] == ["refused Auth.getTokens"]
    names = [one["name"] for one in bff.facts("command_called")]
    assert names == ["getAuthCode", "reAuthenticate", "signIn"]
    assert [one["times"] for one in bff.facts("command_settled")] == [1, 1, 2]
    assert bff.facts("command_called")[0]["force"] is True
    assert "Auth.refreshToken" in [one["name"] for one in bff.facts("command_registered")]


def test_the_code_leaves_the_page_as_a_print_only(page: Page, bff: Bff) -> None:
    show(page, *ORDERS["first"])
    behaviour(page)
    all_sent(page)

    (first, *_) = bff.facts("command_settled")
    assert len(first["code"]) == 8
    assert first["shape"] == "authCode,redirectUri"
    assert CODE not in "".join(bff.bodies)
    assert CODE[-12:] not in "".join(bff.bodies)


def test_what_happened_while_the_bff_was_away_comes_when_it_is_back(page: Page, bff: Bff) -> None:
    bff.away = True
    show(page, *ORDERS["first"])
    behaviour(page)
    page.evaluate("for (let n = 0; n < 700; n++) plugin.publish('noise', {})")
    assert page.evaluate("() => MessengerInspector.waiting()") == 500

    bff.away = False
    for _ in range(20):
        page.clock.run_for(30_000)
    page.wait_for_function("() => !MessengerInspector.waiting()")

    assert len(bff.facts("published")) >= 490
    assert bff.facts("events_lost")[0]["count"] > 100


def test_what_a_leaving_page_could_not_send_comes_with_the_next_one(page: Page, bff: Bff) -> None:
    show(page, *ORDERS["first"])
    all_sent(page)
    bff.away = True
    behaviour(page)
    page.goto("about:blank")

    bff.away = False
    show(page, TAG, SNIPPET)
    all_sent(page)

    assert bff.steps().count("page_left") == 1
    assert "command_called" in bff.steps()
    assert page.evaluate("() => sessionStorage.getItem('messenger-inspector:left')") is None


def test_whom_nobody_asked_is_not_recorded_and_nothing_is_wrapped(page: Page, bff: Bff) -> None:
    show(page, *(part.replace(' data-record="always"', "") for part in ORDERS["first"]))
    behaviour(page)

    assert page.evaluate("() => window.MessengerInspector") is None
    assert page.evaluate("() => 'value' in Object.getOwnPropertyDescriptor(window, 'Genesys')")
    assert (bff.starts, bff.events) == (0, [])


def test_a_refusal_ends_it_for_good(page: Page, bff: Bff) -> None:
    bff.refuses = True
    show(page, *ORDERS["first"])
    behaviour(page)
    page.wait_for_function("() => !MessengerInspector.recording()")
    page.clock.run_for(120_000)

    assert (bff.starts, bff.events) == (1, [])
    assert page.evaluate("() => MessengerInspector.waiting()") == 0


def test_an_invitation_is_taken_out_of_the_address_and_lasts(page: Page, bff: Bff) -> None:
    quiet = TAG.replace(' data-record="always"', "")
    show(page, quiet, SNIPPET, address="/?a=1#messenger-inspect=Key_of-1")
    page.wait_for_function("() => localStorage.getItem('messenger-inspector:on')")
    assert page.url == f"{SITE}/?a=1"
    all_sent(page)

    show(page, quiet, SNIPPET)
    page.wait_for_function("() => MessengerInspector.recording()")
    all_sent(page)

    assert bff.starts == 2
    assert bff.steps().count("page_loaded") == 2


def test_secrets_in_the_address_and_in_storage_are_told_by_name_only(page: Page, bff: Bff) -> None:
    show(page, TAG, SNIPPET, address="/?code=0123456789abcdefghijklmno&state=1")
    page.evaluate(
        """() => {
          localStorage.setItem('pkce_verifier', 'v'.repeat(43));
          localStorage.setItem('_5b3c7d2e-1111:gcatkn', 'eyJhbGciOiJIUzI1.eyJzdWIi.c2ln');
          sessionStorage.setItem('mine', 'Bearer eyJhbGciOiJIUzI1.eyJzdWIi.c2ln');
          localStorage.setItem('basket', 'one blanket');
        }"""
    )
    page.clock.run_for(3_500)
    all_sent(page)

    found = [(one["where"], one["key"], one["what"]) for one in bff.facts("storage_secret")]
    assert found == [
        ("localStorage", "pkce_verifier", "verifier"),
        ("sessionStorage", "mine", "token"),
    ]
    assert len(bff.facts("address_code")) == 1
    assert "0123456789abcdef" not in "".join(bff.bodies)
    assert "vvvv" not in "".join(bff.bodies)


def test_a_coupon_in_the_address_is_no_code(page: Page, bff: Bff) -> None:
    show(page, TAG, SNIPPET, address="/?code=SUMMER26")
    page.clock.run_for(3_500)
    all_sent(page)

    assert bff.facts("address_code") == []


def test_a_computer_that_slept_and_a_messenger_that_never_came_are_noticed(
    page: Page, bff: Bff
) -> None:
    show(page, TAG, SNIPPET)
    page.clock.run_for(16_000)
    page.clock.fast_forward(600_000)
    all_sent(page)

    found = bff.facts("checked")[0]
    assert found["shown"] is True
    assert not any(found[part] for part in ("genesys", "auth_ready", "provider"))
    assert bff.facts("slept")[0]["seconds"] >= 595


def test_storage_that_throws_is_no_reason_to_stop(page: Page, bff: Bff) -> None:
    page.add_init_script(
        """for (const name of ['localStorage', 'sessionStorage'])
             Object.defineProperty(window, name, {get() { throw new Error('blocked'); }});"""
    )
    show(page, *ORDERS["first"])
    behaviour(page)
    page.clock.run_for(4_000)
    all_sent(page)

    assert "plugin_ready" in bff.steps()

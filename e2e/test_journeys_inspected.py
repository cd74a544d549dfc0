"""The inspector beside real browsers: it says what is wrong with a plugin, and of ours nothing."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request
from running_bff import RunningBff

from bff.adapters.system import SystemClock, SystemEntropy
from bff.inspector.recording_export import exported
from bff.settings import Settings
from bff.simulator.shopper import Shopper
from bff.simulator.stage import Stage, StagePlan, raised

FAULTS_OF_THE_THREAD = {
    "same_code_again",
    "registered_inside",
    "reauthenticate_without_sign_in",
    "reauthenticate_led_nowhere",
    "auth_data_missing",
    "refresh_too_early",
    "code_too_old",
    "code_spent",
    "code_in_address",
    "leaves_in_signing_in",
    "expired_in_sight",
    "secret_in_storage",
}
SKEW = timedelta(seconds=10)
AXE = Path(__file__).parent.parent / "tests/plugin/node_modules/axe-core/axe.min.js"
LIMIT_MS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A shop whose pages are recorded. The clock moves servers and browsers together."""

    stage: Stage
    bff: RunningBff
    context: BrowserContext = field(repr=False)
    clock: SystemClock = field(repr=False)

    def shopper(self) -> Shopper:
        return Shopper(self.context.new_page(), self.stage.brand_url)

    def pass_time(self, duration: timedelta, *, pages: timedelta = timedelta(0)) -> None:
        """Let time pass everywhere, and in the pages by so much more; not while a batch is out."""
        for page in self.context.pages:
            page.wait_for_function("() => !window.MessengerInspector?.waiting()")
        self.clock.shift += duration
        self.context.clock.fast_forward(int((duration + pages).total_seconds() * 1000))

    def told(self) -> dict[str, Any]:
        """Return the only recording as its file has it."""
        house = self.bff.services.inspector
        assert house is not None
        heads = house.shelf.everything()
        assert len(heads) <= 1
        known = [exported(head, house.shelf.read(head), now=self.clock.now()) for head in heads]
        return known[0] if known else {"events": []}

    def wait_for(self, page: Page, words: str, *, times: int = 1) -> dict[str, Any]:
        """Wait until an event of these words has come so often; return the recording."""
        for _ in range(200):
            told = self.told()
            if sum(words in one["words"] for one in told["events"]) >= times:
                return told
            page.wait_for_timeout(50)
        seen = [one["words"] for one in self.told()["events"]]
        raise AssertionError(f"{words!r} is not in {seen}")

    def inspector(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.goto(f"{self.stage.bff_url}/inspector")
        return page


@contextmanager
def inspected(browser: Browser, folder: Path, **changes: str) -> Iterator[Inspected]:
    clock = SystemClock()
    with ExitStack() as running:
        plan = StagePlan(inspected=True)
        stage = running.enter_context(raised(plan, clock=clock, entropy=SystemEntropy()))
        store = {"BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}"}
        settings = Settings.read({**stage.environment, **store, **changes})
        bff = running.enter_context(RunningBff(settings, clock=clock, port=stage.bff_port))
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        running.callback(context.close)
        context.clock.install()
        yield Inspected(stage=stage, bff=bff, context=context, clock=clock)


@pytest.fixture
def shop(browser: Browser, tmp_path: Path) -> Iterator[Inspected]:
    with inspected(browser, tmp_path) as raised_shop:
        yield raised_shop


@pytest.fixture
def guarded_shop(browser: Browser, tmp_path: Path) -> Iterator[Inspected]:
    operators = {"BFF_INSPECTOR": "operators", "BFF_INSPECTOR_OPERATORS": "main/c-20533"}
    with inspected(browser, tmp_path, **operators) as raised_shop:
        yield raised_shop


in_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)


def codes_of(told: dict[str, Any]) -> set[str]:
    return {one["code"] for one in told["findings"]}


def expiry_in_ms(shopper: Shopper) -> int:
    left: int = shopper.page.evaluate("() => window.__expiries.at(-1) * 1000 - Date.now()")
    return left


@pytest.mark.turns_time
def test_the_threads_plugin_is_told_each_of_its_faults_by_name(shop: Inspected) -> None:
    tab = shop.shopper()
    tab.visit("/thread")
    tab.open_messenger()
    tab.part("messenger-sign-in").click()
    tab.choose("Amira Haddad")
    tab.open_messenger()
    tab.wait_until_known()
    shop.wait_for(tab.page, "Auth.authenticated JWT")
    # The page's clock is a little fast, as many are: "just before the end" is well before it.
    almost = timedelta(milliseconds=expiry_in_ms(tab)) - timedelta(milliseconds=50)
    shop.pass_time(almost - SKEW, pages=SKEW)
    shop.wait_for(tab.page, "calls Auth.refreshToken")
    for _ in range(2):
        shop.pass_time(timedelta(seconds=50))
    tab.visit("/thread?code=0123456789abcdefghij&state=xyz")
    tab.open_messenger()
    tab.part("messenger-reauthenticate").click()
    shop.wait_for(tab.page, "Auth.error")
    shop.wait_for(tab.page, "A code stands in the page's address")
    shop.pass_time(timedelta(seconds=45))

    told = shop.wait_for(tab.page, "Looked after 15 s", times=2)

    assert codes_of(told) == FAULTS_OF_THE_THREAD
    page = shop.inspector()
    page.get_by_text("The same authorization code is handed out again").wait_for()
    for one in told["findings"]:
        assert page.get_by_text(one["title"]).is_visible()
    assert page.locator("#timeline .gap").count() == 1


@in_chromium
@pytest.mark.turns_time
def test_of_our_own_plugin_on_the_same_path_there_is_nothing_to_say(shop: Inspected) -> None:
    tab = shop.shopper()
    tab.visit("/")
    tab.sign_in()
    tab.open_messenger()
    tab.wait_until_known()
    shop.wait_for(tab.page, "Auth.authenticated JWT")
    almost = timedelta(milliseconds=expiry_in_ms(tab)) - timedelta(milliseconds=50)
    shop.pass_time(almost - SKEW, pages=SKEW)
    shop.wait_for(tab.page, "calls Auth.refreshToken")
    for _ in range(2):
        shop.pass_time(timedelta(seconds=6))
    shop.wait_for(tab.page, "Auth.authenticated JWT", times=2)
    shop.pass_time(timedelta(seconds=50))
    tab.visit("/orders")
    tab.wait_until_known()
    shop.pass_time(timedelta(seconds=45))

    told = shop.wait_for(tab.page, "Looked after 15 s", times=2)

    assert told["findings"] == []
    page = shop.inspector()
    page.get_by_text("Nothing is wrong in what was recorded.").wait_for()
    assert page.locator("#timeline .jwt").count() >= 2


@in_chromium
def test_no_secret_leaves_the_page_for_the_inspector(shop: Inspected) -> None:
    sent: list[str] = []

    def listen(request: Request) -> None:
        if "/inspector/" in request.url:
            sent.append(request.post_data or "")

    shop.context.on("request", listen)
    tab = shop.shopper()
    tab.visit("/thread")
    tab.open_messenger()
    tab.part("messenger-sign-in").click()
    tab.choose("Amira Haddad")
    tab.open_messenger()
    tab.wait_until_known()
    shop.wait_for(tab.page, "A verifier lies in localStorage")
    page = shop.inspector()
    page.get_by_text("JWT lives").wait_for()
    page.get_by_role("cell", name="A verifier lies in localStorage").wait_for()

    stored = tab.page.evaluate("() => Object.values({...localStorage, ...sessionStorage})")
    known = [json.loads(one) for one in stored if str(one).startswith("{")]
    secrets = {
        *(value for one in known for value in one.values() if len(str(value)) > 30),
        *(one for one in stored if "." in str(one) and len(str(one)) > 60),
        *(one["value"] for one in shop.context.cookies() if len(one["value"]) > 20),
        *("amira@example.com", "Amira", "Haddad"),
    }
    secrets = {one for one in secrets if not str(one).startswith("http")}
    places = [*sent, json.dumps(shop.told(), ensure_ascii=False), page.content()]
    assert len(secrets) > 8
    assert len(sent) > 3
    for secret in secrets:
        for place in places:
            assert str(secret) not in place
            assert str(secret)[-16:] not in place


@in_chromium
def test_an_operator_has_a_customer_recorded_by_a_link_and_others_see_nothing(
    guarded_shop: Inspected, browser: Browser
) -> None:
    shop = guarded_shop
    customer = shop.shopper()
    customer.visit("/")
    customer.part("brand-sign-in").wait_for()
    assert shop.bff.services.inspector is not None
    assert shop.bff.services.inspector.shelf.everything() == []

    office = browser.new_context()
    operator = Shopper(office.new_page(), shop.stage.brand_url)
    operator.visit("/")
    operator.sign_in("Zoë Łukasik")
    page = operator.page
    page.goto(f"{shop.stage.bff_url}/inspector")
    page.get_by_role("button", name="Record a browser").click()
    page.get_by_label("Your word for it").fill("Ticket 4711")
    page.get_by_role("button", name="Make a link").click()
    page.locator("#link").wait_for()
    link = page.locator("#link").inner_text()
    page.keyboard.press("Escape")

    customer.page.goto("about:blank")
    customer.page.goto(link)
    customer.sign_in()
    page.get_by_role("cell", name="Signed in; a session begins").wait_for()

    assert "#" not in customer.page.url
    recordings = shop.bff.services.inspector.shelf.everything()
    assert [one.label for one in recordings] == ["Ticket 4711"]
    nosy = customer.page.goto(f"{shop.stage.bff_url}/inspector")
    assert nosy is not None
    assert nosy.status == 403
    customer.page.get_by_text("Recordings are for operators of this service").wait_for()
    office.close()


@in_chromium
def test_a_recording_is_saved_as_a_file_and_looked_at_without_the_service(
    shop: Inspected, tmp_path: Path
) -> None:
    tab = shop.shopper()
    tab.visit("/naive")
    tab.open_messenger()
    shop.wait_for(tab.page, "Auth.authError")
    page = shop.inspector()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export JSON").click()
    file = tmp_path / "recording.json"
    download.value.save_as(file)
    shop.context.route("**/inspector/recordings**", lambda route: route.abort())

    page.locator("#file").set_input_files(file)

    page.get_by_text("File recording.json").wait_for()
    assert page.get_by_role("cell", name="Auth.authError").first.is_visible()
    page.get_by_role("button", name="Back to live").wait_for()
    page.locator("#file").set_input_files(Path(__file__))
    page.get_by_text("is no recording of this inspector").wait_for()


@in_chromium
def test_the_page_passes_axe_in_light_and_dark(shop: Inspected) -> None:
    tab = shop.shopper()
    tab.visit("/naive")
    shop.wait_for(tab.page, "Auth.authError")
    page = shop.inspector()
    page.locator("#findings details").first.wait_for()
    # Past the page's own policy, which lets no other script in.
    engine = AXE.read_text("utf-8")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(engine)
        found = page.evaluate("async () => (await axe.run()).violations")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@in_chromium
def test_the_timeline_is_walked_by_keyboard(shop: Inspected) -> None:
    tab = shop.shopper()
    tab.visit("/naive")
    shop.wait_for(tab.page, "Auth.authError")
    page = shop.inspector()
    rows = page.locator("#events tr")
    rows.nth(3).click()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")

    assert rows.nth(5).get_attribute("aria-selected") == "true"
    assert rows.nth(5).evaluate("(row) => row === document.activeElement")
    assert page.locator("#timeline .chosen").count() == 1
    page.get_by_label("Show").select_option("problems")
    assert page.locator("#events tr.bad").count() >= 1
    assert page.locator("#events tr.plain").count() == 0

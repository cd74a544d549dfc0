"""The sign-in dialog for everybody: names, focus, keys, five languages, zoom, strict policies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from dialog_page import DialogPage
from dialog_world import DialogWorld, dialog_world
from playwright.sync_api import Browser, expect

AXE: Final = Path(__file__).parent.parent / "tests/plugin/node_modules/axe-core/axe.min.js"
LANGUAGES: Final = ("en", "de", "es", "fr", "ar")
only_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)

# Layout that does not fit, and text whose colours do not stand out, are found by looking.
_OVERFLOW: Final = """
() => [document.documentElement, ...document.querySelectorAll('dialog, dialog *')]
  .filter((one) => getComputedStyle(one).display !== 'inline')
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.tagName)
"""


@pytest.fixture(scope="module")
def raised(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialogWorld]:
    with dialog_world(browser, tmp_path_factory.mktemp("reads-well")) as everything:
        yield everything


@pytest.fixture
def here(raised: DialogWorld) -> Iterator[DialogWorld]:
    with raised.profile() as mine:
        yield mine


def test_a_screen_reader_hears_name_reason_and_buttons(here: DialogWorld) -> None:
    tab = DialogPage.opened(here).ask(reason="reauthenticate", code="sign_in_denied")
    tab.wait_for_dialog()

    named = tab.page.get_by_role("dialog", name="Please sign in again")
    expect(named).to_have_accessible_description(
        "Your sign-in has ended. Sign in again to continue the chat. The sign-in opens in a small "
        "window. The sign-in was cancelled or refused. You can try again."
    )
    buttons = [button.inner_text() for button in tab.dialog.get_by_role("button").all()]
    assert buttons == ["Sign in", "Not now"]
    expect(tab.status).to_have_text("The sign-in was cancelled or refused. You can try again.")
    assert tab.dialog.evaluate("(one) => one.matches(':modal')")


def test_focus_goes_to_the_first_button_and_back_to_where_it_was(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    tab.page.locator("#chat").focus()
    tab.ask().wait_for_dialog()
    expect(tab.primary).to_be_focused()

    tab.page.keyboard.press("Tab")
    expect(tab.dialog.get_by_role("button", name="Not now")).to_be_focused()
    tab.page.keyboard.press("Enter")

    assert tab.outcome() == {"outcome": "cancelled"}
    expect(tab.dialog).to_have_count(0)
    expect(tab.page.locator("#chat")).to_be_focused()


def test_escape_means_not_now_and_is_not_meant_for_the_page(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    tab.page.evaluate(
        "() => { window.__keys = []; addEventListener('keydown', (e) => __keys.push(e.key)); }"
    )
    tab.ask().wait_for_dialog()

    tab.page.keyboard.press("Escape")

    assert tab.outcome() == {"outcome": "cancelled"}
    expect(tab.dialog).to_have_count(0)
    assert tab.page.evaluate("() => window.__keys") == []


def test_a_policy_as_strict_as_can_be_forbids_nothing_of_it(here: DialogWorld) -> None:
    bff = here.stage.bff_url
    policy = (
        f"default-src 'none'; script-src {bff}; connect-src {bff}; style-src 'none'; "
        "img-src data:; base-uri 'none'; object-src 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    here.knobs.page = {"Content-Security-Policy": policy}
    tab = DialogPage.opened(here).ask()
    tab.wait_for_dialog()

    # The style came through as well: the button is as large as it should be.
    assert tab.primary.evaluate("(one) => one.getBoundingClientRect().height") >= 44
    popup = tab.press()
    here.provider.sign_in(popup, here.provider.first)

    assert tab.outcome() == {"outcome": "signed-in"}
    assert tab.violations == []


@only_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_language(raised: DialogWorld, scheme: Any) -> None:
    with raised.profile(color_scheme=scheme, reduced_motion="reduce") as here:
        tab = DialogPage.opened(here)
        tab.page.evaluate(AXE.read_text())
        for language in LANGUAGES:
            tab.ask(lang=language, reason="reauthenticate", code="sign_in_failed")
            tab.wait_for_dialog()

            report = tab.page.evaluate("() => axe.run()")

            assert [(one["id"], one["help"]) for one in report["violations"]] == []
            contrast = next(one for one in report["passes"] if one["id"] == "color-contrast")
            looked_at = [node["html"] for node in contrast["nodes"]]
            assert any("messenger-auth-dialog" in html for html in looked_at)
            assert tab.dialog.get_attribute("lang") == language
            assert tab.dialog.get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
            tab.page.keyboard.press("Escape")
            tab.outcome()


@only_chromium
def test_four_hundred_percent_of_zoom_scrolls_only_downwards(raised: DialogWorld) -> None:
    # 1280 by 1024 at 400 % is a page of 320 by 256 (WCAG 2.2, 1.4.10).
    with raised.profile(viewport={"width": 320, "height": 256}) as here:
        tab = DialogPage.opened(here)
        for language in LANGUAGES:
            tab.ask(lang=language, reason="reauthenticate", code="sign_in_denied")
            tab.wait_for_dialog()

            assert tab.page.evaluate(_OVERFLOW) == []
            for button in tab.dialog.get_by_role("button").all():
                button.scroll_into_view_if_needed()
                box = button.bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 320
                assert box["height"] >= 24
            tab.page.keyboard.press("Escape")
            tab.outcome()


@only_chromium
def test_a_brand_changes_its_looks_by_variables_and_by_its_class_alone(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    tab.page.add_style_tag(
        content="button { background: red; text-transform: uppercase; width: 10px } "
        "dialog { padding: 0 } h2, p { font-size: 60px } "
        ":root { --messenger-auth-accent: rgb(0, 80, 60) } "
        ".messenger-auth-dialog h2 { color: rgb(1, 2, 3) }"
    )
    tab.ask().wait_for_dialog()

    style = "(one, name) => getComputedStyle(one)[name]"
    assert tab.primary.evaluate(style, "backgroundColor") == "rgb(0, 80, 60)"
    assert tab.primary.evaluate(style, "textTransform") == "none"
    assert tab.dialog.evaluate(style, "padding") == "32px"
    assert tab.dialog.locator("h2").evaluate(style, "fontSize") == "24px"
    assert tab.dialog.locator("h2").evaluate(style, "color") == "rgb(1, 2, 3)"


@only_chromium
def test_the_page_says_the_language_and_the_site_may_say_it_better(here: DialogWorld) -> None:
    tab = DialogPage.opened(here)
    tab.page.evaluate("() => void (document.documentElement.lang = 'fr-CA')")
    tab.ask(texts={"fr": {"go": "Ouvrir une session"}}).wait_for_dialog()

    expect(tab.primary).to_have_text("Ouvrir une session")
    expect(tab.dialog.get_by_role("heading")).to_have_text("Veuillez vous connecter")
    assert tab.dialog.get_attribute("lang") == "fr-CA"


@only_chromium
def test_colours_that_the_person_has_forced_keep_borders_and_a_visible_disabled_button(
    raised: DialogWorld,
) -> None:
    with raised.profile(forced_colors="active") as here:
        tab = DialogPage.opened(here).ask()
        tab.wait_for_dialog()
        style = "(one, name) => getComputedStyle(one)[name]"
        assert tab.primary.evaluate(style, "borderStyle") == "solid"

        here.context.set_offline(True)
        expect(tab.primary).to_be_disabled()

        assert tab.primary.evaluate(style, "opacity") == "1"


@only_chromium
def test_nothing_moves_for_who_asked_for_stillness(raised: DialogWorld) -> None:
    names = []
    for motion in ("reduce", "no-preference"):
        with raised.profile(reduced_motion=motion) as here:
            tab = DialogPage.opened(here).ask().wait_for_dialog()
            names.append(tab.dialog.evaluate("(one) => getComputedStyle(one).animationName"))

    assert names == ["none", "messenger-auth-dialog"]


@only_chromium
def test_a_page_that_replaces_everything_in_it_does_not_lose_the_question(
    here: DialogWorld,
) -> None:
    tab = DialogPage.opened(here).ask().wait_for_dialog()
    tab.page.evaluate("() => document.body.replaceChildren()")
    expect(tab.dialog).to_have_count(0)

    tab.page.evaluate("() => void dispatchEvent(new Event('focus'))")

    tab.wait_for_dialog()
    assert tab.dialog.evaluate("(one) => one.matches(':modal')")
    tab.dialog.get_by_role("button", name="Not now").click()
    assert tab.outcome() == {"outcome": "cancelled"}

"""What somebody has written outlives a reload; what is secret is never written down."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from dialog_page import DialogPage
from dialog_world import DialogWorld, dialog_world
from playwright.sync_api import Browser, Locator, expect

only_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)
DRAFTS: Final = "() => sessionStorage.getItem('messenger-auth:drafts')"
RESTORE: Final = "() => MessengerSignIn.restoreDrafts()"
# As pages are made: some of it is there at once, some comes late, some behind a shadow or a frame.
_FORM: Final = """
addEventListener('DOMContentLoaded', () => {
  if (window.top !== window) return;
  const put = (parent, tag, more = {}, name = '') => {
    const made = document.createElement(tag);
    Object.assign(made, more);
    if (name) made.setAttribute('name', name);
    parent.append(made);
    return made;
  };
  const form = put(document.body, 'form', { id: 'form' });
  put(form, 'textarea', { id: 'note' });
  put(form, 'input', { id: 'title' });
  put(form, 'input', { id: 'same' });
  put(form, 'input', { id: 'same' });
  put(form, 'input', { id: 'given', defaultValue: 'as it came' });
  put(form, 'div', { id: 'rich', contentEditable: 'true' });
  put(form, 'input', { id: 'secret-word', type: 'password' });
  put(form, 'input', { id: 'number', autocomplete: 'cc-number' });
  put(form, 'input', { id: 'digits', autocomplete: 'one-time-code' });
  put(form, 'input', { id: 'x', name: 'cardCvc' });
  put(form, 'input', { id: 'mail', type: 'email' });
  put(document.body, 'iframe', { id: 'inner', srcdoc: '<textarea id="deep"></textarea>' });
  setTimeout(() => {
    const host = put(document.body, 'div', { id: 'host' });
    put(host.attachShadow({ mode: 'open' }), 'textarea', { id: 'shady' });
    window.__inputs = [];
    document.addEventListener('input', (e) => __inputs.push(e.target.id), true);
  }, 300);
});
"""
_WRITTEN: Final = {
    "#note": "Where is\nmy order?",
    "#title": "A question",
    "#same >> nth=1": "the second",
    "#rich": "soft words",
    "#shady": "said in the chat",
}
_SECRET: Final = {
    "#secret-word": "hunter2",
    "#number": "4111111111111111",
    "#digits": "123456",
    "#x": "987",
    "#mail": "amira@example.com",
}


@pytest.fixture(scope="module")
def raised(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DialogWorld]:
    with dialog_world(browser, tmp_path_factory.mktemp("drafts")) as everything:
        yield everything


@pytest.fixture
def tab(raised: DialogWorld) -> Iterator[DialogPage]:
    with raised.profile() as here:
        here.context.add_init_script(_FORM)
        opened = DialogPage.opened(here)
        opened.page.locator("#shady").wait_for()
        yield opened


def _text(field: Locator) -> Any:
    return field.evaluate("(one) => one.value ?? one.innerText.trim()")


def _fill(tab: DialogPage) -> None:
    for selector, text in (_WRITTEN | _SECRET).items():
        tab.page.locator(selector).fill(text)
    tab.page.frame_locator("#inner").locator("#deep").fill("in a frame")


def _keep(tab: DialogPage) -> str:
    """Press what keeps drafts, and return what was kept."""
    tab.ask(reason="stuck").wait_for_dialog()
    tab.primary.click()
    assert tab.outcome() == {"outcome": "reload"}
    kept: str = tab.page.evaluate(DRAFTS)
    return kept


def test_what_was_written_is_there_again_after_a_reload(tab: DialogPage) -> None:
    _fill(tab)
    _keep(tab)
    tab.page.reload()
    tab.load()
    tab.page.evaluate(RESTORE)

    for selector, text in _WRITTEN.items():
        tab.page.wait_for_function("() => !sessionStorage.getItem('messenger-auth:drafts')")
        assert _text(tab.page.locator(selector)) == text, selector
    inner = tab.page.frame_locator("#inner").locator("#deep")
    expect(inner).to_have_value("in a frame")
    assert _text(tab.page.locator("#same").first) == ""
    assert _text(tab.page.locator("#given")) == "as it came"
    # Frameworks and counters of characters hear of it.
    assert "host" in tab.page.evaluate("() => window.__inputs")


def test_nothing_secret_is_written_down(tab: DialogPage) -> None:
    _fill(tab)

    kept = _keep(tab)

    assert "A question" in kept
    for text in (*_SECRET.values(), "as it came"):
        assert text not in kept


@only_chromium
def test_words_of_now_are_not_replaced_by_words_of_before(tab: DialogPage) -> None:
    _fill(tab)
    _keep(tab)
    tab.page.reload()
    tab.load()
    tab.page.locator("#note").fill("Something else")
    tab.page.evaluate(RESTORE)
    tab.page.wait_for_function("() => !sessionStorage.getItem('messenger-auth:drafts')")

    assert _text(tab.page.locator("#note")) == "Something else"
    assert _text(tab.page.locator("#title")) == "A question"


@only_chromium
def test_drafts_of_half_an_hour_ago_are_thrown_away(tab: DialogPage) -> None:
    _fill(tab)
    _keep(tab)
    tab.page.reload()
    tab.load()
    tab.page.evaluate(
        "() => { const kept = JSON.parse(sessionStorage.getItem('messenger-auth:drafts'));"
        "kept.at -= 31 * 60_000;"
        "sessionStorage.setItem('messenger-auth:drafts', JSON.stringify(kept)); }"
    )

    tab.page.evaluate(RESTORE)

    assert tab.page.evaluate(DRAFTS) is None
    assert _text(tab.page.locator("#note")) == ""


@only_chromium
def test_fields_that_never_come_back_are_waited_for_thirty_seconds(raised: DialogWorld) -> None:
    with raised.profile() as here:
        here.context.clock.install()
        tab = DialogPage.opened(here)
        tab.page.evaluate(
            "() => sessionStorage.setItem('messenger-auth:drafts',"
            "JSON.stringify({ at: Date.now(), fields: [['gone', 'text']] }))"
        )
        tab.page.evaluate(RESTORE)
        tab.page.clock.run_for(29_000)
        assert tab.page.evaluate(DRAFTS) is not None

        tab.page.clock.run_for(2_000)

        assert tab.page.evaluate(DRAFTS) is None


@only_chromium
def test_broken_or_blocked_storage_is_no_error(tab: DialogPage) -> None:
    for broken in ("{", "null", '{"at": 1e13}', '{"at": "x", "fields": 1}'):
        tab.page.evaluate("(text) => sessionStorage.setItem('messenger-auth:drafts', text)", broken)
        tab.page.evaluate(RESTORE)
        assert tab.page.evaluate(DRAFTS) is None
    tab.page.evaluate(
        "() => Object.defineProperty(window, 'sessionStorage', { get() { throw new Error(); } })"
    )
    tab.page.evaluate(RESTORE)

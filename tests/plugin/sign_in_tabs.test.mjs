// Several tabs of one browser: one dialog, where somebody looks, and all of them finish.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedTab, createBrowser, dialogsOf, openTab } from './sign_in_rig.mjs';

const SECOND = 1_000;
const LOCK = 'messenger-auth:sign-in';

async function asked(count, odd = () => ({})) {
  const browser = createBrowser();
  const tabs = Array.from({ length: count }, (_, index) => openTab(browser, odd(index)));
  for (const tab of tabs) tab.ask();
  await browser.advance(SECOND);
  return { browser, tabs };
}

test('of four tabs that ask, one shows a dialog, and one sign-in is enough for all', async () => {
  const { browser, tabs } = await asked(4);
  assert.equal(dialogsOf(browser), 1);
  assert.deepEqual(tabs.slice(1).map(({ told }) => told), [['other_tab'], ['other_tab'], ['other_tab']]);
  await browser.advance(60 * SECOND);
  assert.equal(dialogsOf(browser), 1, 'as long as the first answers, the others wait');

  tabs[0].view.go();
  browser.server.arrive();
  await browser.advance(3 * SECOND);

  assert.deepEqual(tabs.map(({ fate }) => fate), Array(4).fill({ outcome: 'signed-in' }));
  assert.equal(tabs.slice(1).flatMap(({ views }) => views).length, 0);
  assert.equal(browser.server.transactions.size, 1);
  assert.equal(browser.locks.held(LOCK), false);
});

test('whoever says not now says it for that tab; the next one may ask', async () => {
  const { browser, tabs } = await asked(2);

  tabs[0].view.later();
  await browser.advance(SECOND);

  assert.deepEqual(tabs[0].fate, { outcome: 'cancelled' });
  assert.ok(tabs[1].view);
  assert.equal(dialogsOf(browser), 1);
});

test('a tab that nobody sees shows nothing, and asks when somebody looks', async () => {
  const browser = createBrowser();
  const tab = openTab(browser);
  tab.visible = false;
  tab.ask();
  await browser.advance(60 * SECOND);
  assert.equal(tab.views.length, 0);
  assert.equal(browser.server.transactions.size, 0);
  assert.equal(browser.locks.held(LOCK), false);

  tab.show(true);
  await browser.advance(SECOND);

  assert.ok(tab.view);
});

test('a hidden tab finishes silently as soon as another one has signed in', async () => {
  const browser = createBrowser();
  const hidden = openTab(browser);
  hidden.visible = false;
  hidden.ask();
  const seen = openTab(browser).ask();
  await browser.advance(SECOND);

  seen.view.go();
  browser.server.arrive();
  await browser.advance(3 * SECOND);

  assert.deepEqual(hidden.fate, { outcome: 'signed-in' });
  assert.equal(hidden.views.length, 0);
});

test('the dialog follows the person to the tab they look at', async () => {
  const { browser, tabs: [first, second] } = await asked(2);
  assert.ok(first.view);

  first.show(false);
  await browser.advance(SECOND);

  assert.equal(first.view, null);
  assert.equal(first.fate, null);
  assert.ok(second.view);

  second.show(false);
  first.show(true);
  await browser.advance(SECOND);
  assert.ok(first.view);
  assert.equal(dialogsOf(browser), 1);
});

test('a dialog whose window is open stays where it is', async () => {
  const { browser, tabs: [first, second] } = await asked(2);
  first.view.go();

  first.show(false);
  await browser.advance(30 * SECOND);

  assert.ok(first.view);
  assert.equal(second.view, null);
});

test('a tab whose holder is frozen goes on alone after two seconds, and steals nothing', async () => {
  const { browser, tabs: [first, second] } = await asked(2);
  first.frozen = true;
  await browser.advance(14 * SECOND);

  assert.ok(second.view, 'it asked again after ten seconds, and nobody answered for two');
  second.view.go();
  browser.server.arrive();
  await browser.advance(3 * SECOND);
  assert.deepEqual(second.fate, { outcome: 'signed-in' });
  assert.equal(browser.locks.held(LOCK), true, 'the frozen one still has it');

  first.frozen = false;
  first.wake();
  await browser.advance(3 * SECOND);
  assert.deepEqual(first.fate, { outcome: 'signed-in' }, 'once it is thawed');
  assert.equal(browser.server.transactions.size, 2);
});

test('a holder that was frozen before anybody asked costs two seconds', async () => {
  const { browser, tabs: [first] } = await asked(1);
  first.frozen = true;
  const second = openTab(browser).ask();

  await browser.advance(1_900);
  assert.equal(second.view, null);
  await browser.advance(SECOND);

  assert.ok(second.view);
});

test('two tabs behind a frozen one show one dialog', async () => {
  const { browser, tabs } = await asked(3, (index) => ({ random: index / 4 }));
  tabs[0].frozen = true;

  await browser.advance(60 * SECOND);

  assert.equal(tabs.slice(1).filter(({ view }) => view).length, 1);
});

test('who clicks in a tab is served in that tab', async () => {
  const { browser } = await asked(1);
  const second = openTab(browser).ask({ activated: true });

  await browser.advance(SECOND);

  assert.equal(second.windows.length, 1);
  browser.server.arrive();
  await browser.advance(6 * SECOND);
  assert.deepEqual(browser.tabs.map(({ fate }) => fate), Array(2).fill({ outcome: 'signed-in' }));
});

test('that click is not spent twice: a dialog that comes back waits for another', async () => {
  const browser = createBrowser();
  const tab = openTab(browser);
  tab.mayOpen = false;
  tab.ask({ activated: true });
  await browser.advance(SECOND);
  tab.show(false);
  tab.mayOpen = true;
  tab.show(true);
  await browser.advance(SECOND);

  assert.ok(tab.view);
  assert.equal(tab.windows.length, 0);
});

test('somebody who signed in elsewhere by other means is noticed when they look', async () => {
  const tab = await askedTab();
  tab.server.signIn();
  await tab.advance(2 * SECOND);

  tab.wake();
  await tab.advance(SECOND);

  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
});

test('a sign-in in another tab helps also where a session alone does not', async () => {
  const browser = createBrowser();
  browser.server.signIn();
  const tabs = [openTab(browser).ask({ reason: 'code_needed' }), openTab(browser).ask({ reason: 'code_needed' })];
  await browser.advance(SECOND);
  tabs[0].view.later();
  await browser.advance(SECOND);
  assert.ok(tabs[1].view, 'a cancellation elsewhere is no help');
  const third = openTab(browser).ask({ reason: 'code_needed' });
  await browser.advance(SECOND);

  tabs[1].view.go();
  browser.server.arrive();
  await browser.advance(3 * SECOND);

  assert.deepEqual(third.fate, { outcome: 'signed-in' });
  assert.equal(third.views.length, 0);
});

test('what a waiting tab was asked for may end before its turn comes', async () => {
  const { browser, tabs: [, second] } = await asked(2);

  second.abort.abort();
  await browser.advance(SECOND);

  assert.deepEqual(second.fate, { outcome: 'cancelled' });
  assert.equal(browser.locks.waiting(LOCK), 0);
  assert.equal(second.channels.size, 1);
});

test('a tab that was closed leaves its turn, and who waited looks before asking', async () => {
  const { browser, tabs: [first, second] } = await asked(2);
  browser.server.signIn();
  first.frozen = true; // gone

  browser.locks.abandon(LOCK);
  await browser.advance(SECOND);

  assert.deepEqual(second.fate, { outcome: 'signed-in' });
  assert.equal(second.views.length, 0);
});

test('a browser without locks, or one that refuses them, works alone', async () => {
  const refuse = { request: () => Promise.reject(new DOMException('no', 'SecurityError')) };
  for (const locks of [null, refuse]) {
    const tab = await askedTab({}, { locks });
    tab.view.go();
    tab.server.arrive();
    await tab.advance(3 * SECOND);

    assert.deepEqual(tab.fate, { outcome: 'signed-in' });
  }
});

test('a fault in the page is a cancellation, and leaves the turn to the next tab', async () => {
  const browser = createBrowser();
  const tab = openTab(browser).ask({ tell() { throw new Error('a listener of the page'); } });
  await browser.advance(SECOND);

  assert.deepEqual(tab.fate, { outcome: 'cancelled', code: 'sign_in_failed' });
  assert.equal(browser.locks.held(LOCK), false);
});

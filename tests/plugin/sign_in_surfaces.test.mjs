// From the question to the outcome, in one tab: windows, redirects, a brand's own surface.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LATENCY, askedTab, createBrowser, openTab, rooms } from './sign_in_rig.mjs';

const SECOND = 1_000;
const MINUTE = 60_000;

test('who is signed in by now sees nothing', async () => {
  const browser = createBrowser();
  browser.server.signIn();
  const tab = await askedTab({}, {}, browser);

  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
  assert.equal(tab.views.length, 0);
  assert.equal(browser.server.transactions.size, 0);
});

test('the transaction is there before the dialog, and the window opens in the click', async () => {
  const tab = await askedTab({ provider: 'main' });

  assert.deepEqual(tab.server.last().body, { return_to: '/shop', origin: 'https://www.example', provider: 'main', surface: 'popup' });
  tab.view.go();
  assert.equal(tab.windows.length, 1, 'nothing was awaited in between');
  assert.equal(tab.window.url, 'https://auth.example/auth/login?transaction=t1');
  assert.deepEqual(tab.told, ['dialog', 'window']);
});

test('the outcome is read from the server: first after one second, then up to every five', async () => {
  const tab = await askedTab();
  tab.view.go();
  await tab.advance(60 * SECOND);

  const looks = tab.server.requests.filter(({ path }) => path.startsWith('/auth/transactions/')).map(({ at }) => at);
  const steps = looks.slice(1).map((at, index) => at - looks[index]);
  assert.ok(steps[0] >= SECOND && steps[0] <= 2 * SECOND, `${steps[0]}`);
  assert.ok(steps.at(-1) >= 5 * SECOND && steps.at(-1) <= 5 * SECOND + 100, `${steps.at(-1)}`);
  assert.ok(looks.length < 20, `${looks.length}`);
  assert.equal(tab.fate, null);
});

test('coming back to the page looks at once, and ten times at once are one look', async () => {
  const tab = await askedTab();
  tab.view.go();
  await tab.advance(30 * SECOND);
  tab.server.arrive();
  const before = tab.server.count('/auth/transactions/');
  for (let i = 0; i < 10; i++) tab.wake();
  await tab.advance(100);

  assert.equal(tab.server.count('/auth/transactions/'), before + 1);
  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
  assert.equal(tab.view, null);
});

test('a transaction that is done before its cookie is there is waited for', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.server.last().status = 'done';
  await tab.advance(1_200);
  assert.equal(tab.fate, null);

  tab.server.signIn();
  await tab.advance(SECOND);

  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
});

test('a cookie that never comes is explained', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.server.last().status = 'done';
  await tab.advance(6 * SECOND);

  assert.equal(tab.fate, null);
  assert.equal(tab.view.status, rooms.WORDS.en.cookies);
});

test('a transaction that is gone at once means that cookies are blocked', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.server.forget();
  await tab.advance(2 * SECOND);

  assert.equal(tab.view.status, rooms.WORDS.en.cookies);
});

test('a window that says it is closed is not believed: the text changes, nothing else', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.window.closed = true;
  await tab.advance(2 * SECOND);
  assert.equal(tab.view.status, rooms.WORDS.en.window, 'not before three seconds');
  await tab.advance(10 * SECOND);

  assert.equal(tab.view.status, rooms.WORDS.en.closed);
  assert.equal(tab.fate, null);
  tab.server.arrive();
  await tab.advance(6 * SECOND);
  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
});

test('a second click shows the window that is there, and opens the same sign-in if it is not', async () => {
  const tab = await askedTab();
  tab.view.go();
  await tab.advance(SECOND);
  tab.view.go();
  assert.equal(tab.windows.length, 1);
  assert.equal(tab.window.focused, 1);

  tab.window.closed = true;
  tab.view.go();

  assert.equal(tab.windows.length, 2);
  assert.equal(tab.window.url, tab.windows[0].url);
  assert.equal(tab.server.transactions.size, 1);
});

test('a blocked window becomes a redirect, and what was written is kept', async () => {
  const tab = await askedTab();
  tab.mayOpen = false;
  tab.view.go();
  await tab.advance(1);

  assert.deepEqual(tab.fate, { outcome: 'leaving' });
  assert.deepEqual(tab.left, [false]);
  assert.equal(tab.kept, 1);
});

test('the surface for redirects asks first and makes no transaction', async () => {
  const tab = await askedTab({ surface: 'redirect' });
  assert.equal(tab.server.transactions.size, 0);
  assert.match(tab.view.text, /come back here/);

  tab.view.go();
  await tab.advance(1);

  assert.deepEqual(tab.fate, { outcome: 'leaving' });
});

test('after three redirects the dialog stays and says so; only another click goes on', async () => {
  const tab = await askedTab({ surface: 'redirect' });
  tab.mayLeave = false;
  tab.view.go();
  await tab.advance(MINUTE);
  assert.equal(tab.fate, null);
  assert.equal(tab.view.status, rooms.WORDS.en.sign_in_loop);
  assert.deepEqual(tab.left, []);
  assert.equal(tab.kept, 0);

  tab.view.go();
  await tab.advance(1);

  assert.deepEqual(tab.left, [true]);
  assert.deepEqual(tab.fate, { outcome: 'leaving' });
});

test('a web app without windows is redirected', async () => {
  const tab = await askedTab({}, { standalone: true });
  tab.view.go();
  await tab.advance(1);

  assert.equal(tab.windows.length, 0);
  assert.deepEqual(tab.fate, { outcome: 'leaving' });
});

test('who has just clicked gets the window at once, and a dialog beside it', async () => {
  const tab = await askedTab({ activated: true });

  assert.equal(tab.windows.length, 1);
  assert.equal(tab.view.status, rooms.WORDS.en.window);
  assert.deepEqual(tab.told, ['window']);
});

test('if that window does not open, the dialog asks for a click of its own', async () => {
  const tab = openTab(createBrowser());
  tab.mayOpen = false;
  tab.ask({ activated: true });
  await tab.advance(SECOND);

  assert.equal(tab.fate, null);
  assert.deepEqual(tab.left, []);
  assert.equal(tab.view.action, 'Sign in');
});

test('who has just clicked is redirected without a dialog, unless that goes round in circles', async () => {
  const tab = await askedTab({ activated: true, surface: 'redirect' });
  assert.deepEqual(tab.fate, { outcome: 'leaving' });
  assert.equal(tab.views.length, 0);

  const stopped = openTab(createBrowser());
  stopped.mayLeave = false;
  stopped.ask({ activated: true, surface: 'redirect' });
  await stopped.advance(SECOND);

  assert.equal(stopped.view.status, rooms.WORDS.en.sign_in_loop);
});

test('not now, Esc and a sign-out are cancellations, and the window goes too', async () => {
  const declined = await askedTab();
  declined.view.go();
  declined.view.later();
  await declined.advance(1);
  assert.deepEqual(declined.fate, { outcome: 'cancelled' });
  assert.equal(declined.window.closed, true);

  const left = await askedTab();
  left.abort.abort();
  await left.advance(1);

  assert.deepEqual(left.fate, { outcome: 'cancelled' });
  assert.equal(left.view, null);
});

test('what was refused before it began is over at once', async () => {
  const tab = openTab(createBrowser());
  tab.ask({ signal: AbortSignal.abort() });
  await tab.advance(SECOND);

  assert.deepEqual(tab.fate, { outcome: 'cancelled' });
  assert.equal(tab.views.length, 0);
});

test('a failure says why, and the next click opens a new sign-in in the same moment', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.server.fail('sign_in_denied');
  await tab.advance(2 * SECOND);
  assert.equal(tab.view.status, rooms.WORDS.en.sign_in_denied);
  assert.equal(tab.view.action, 'Try again');

  tab.view.go();

  assert.equal(tab.windows.length, 2);
  assert.match(tab.window.url, /transaction=t2$/);
  tab.server.arrive();
  await tab.advance(2 * SECOND);
  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
});

test('a click on a failure never opens the sign-in that has failed', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.server.fail('sign_in_denied');
  tab.wake();
  await tab.advance(LATENCY);
  assert.equal(tab.view.status, rooms.WORDS.en.sign_in_denied);

  tab.view.go(); // the next one is still being made
  await tab.advance(SECOND);

  assert.match(tab.window.url, /transaction=t2$/);
});

test('a sign-in that took too long says so', async () => {
  const tab = await askedTab();
  tab.view.go();
  tab.server.last().status = 'expired';
  await tab.advance(2 * SECOND);

  assert.equal(tab.view.status, rooms.WORDS.en.sign_in_expired);
});

test('one that the server has thrown away by its age is called too old, not blocked', async () => {
  const browser = createBrowser();
  browser.server.live(120);
  const tab = await askedTab({}, {}, browser);
  tab.view.go();
  await tab.advance(2 * MINUTE);
  browser.server.forget();
  await tab.advance(6 * SECOND);

  assert.equal(tab.view.status, rooms.WORDS.en.sign_in_expired);
});

test('a dialog that waited for an hour opens a sign-in that is not an hour old', async () => {
  const tab = await askedTab();
  await tab.advance(60 * MINUTE);
  assert.equal(tab.server.transactions.size, 1, 'an unattended page asks nothing');

  tab.view.go();
  await tab.advance(SECOND);

  assert.equal(tab.server.transactions.size, 2);
  assert.match(tab.window.url, /transaction=t2$/);
});

test('who comes back to a dialog after an hour finds it ready for one click', async () => {
  const tab = await askedTab();
  await tab.advance(60 * MINUTE);
  tab.wake();
  await tab.advance(SECOND);

  tab.view.go();

  assert.match(tab.window.url, /transaction=t2$/);
});

test('a server that does not answer is said, and tried again by a click', async () => {
  const browser = createBrowser();
  browser.server.down();
  const tab = await askedTab({}, {}, browser);
  assert.equal(tab.view.status, rooms.WORDS.en.unreachable);
  assert.equal(tab.view.action, 'Try again');

  browser.server.up();
  tab.view.go();
  assert.equal(tab.view.enabled, false);
  await tab.advance(SECOND);

  assert.equal(tab.windows.length, 1);
  assert.equal(tab.view.status, rooms.WORDS.en.window);
});

test('an outage during the sign-in is waited out, until that sign-in would be too old', async () => {
  const tab = await askedTab();
  tab.view.go();
  await tab.advance(10 * SECOND);
  tab.server.down();
  await tab.advance(10 * SECOND);
  assert.equal(tab.view.status, rooms.WORDS.en.unreachable);
  tab.server.up();
  await tab.advance(6 * SECOND);
  assert.equal(tab.view.status, rooms.WORDS.en.window);

  tab.server.down();
  await tab.advance(11 * MINUTE);

  assert.equal(tab.view.status, rooms.WORDS.en.sign_in_expired);
  const asked = tab.server.requests.length;
  await tab.advance(60 * MINUTE);
  assert.equal(tab.server.requests.length, asked, 'an unattended page asks nothing');
});

test('without a connection the button waits, and says so; with it back it goes on', async () => {
  const tab = await askedTab();
  tab.connect(false);
  assert.equal(tab.view.status, rooms.WORDS.en.offline);
  assert.equal(tab.view.enabled, false);
  tab.view.go();
  assert.equal(tab.windows.length, 0);

  tab.connect(true);
  assert.equal(tab.view.status, rooms.WORDS.en.online);
  assert.equal(tab.view.enabled, true);
  tab.view.go();

  assert.equal(tab.windows.length, 1);
});

test('a halted chat with a living session needs one click and no window', async () => {
  const browser = createBrowser();
  browser.server.signIn();
  const tab = await askedTab({ reason: 'halted' }, {}, browser);
  assert.equal(tab.view.action, 'Try again');
  assert.equal(tab.fate, null);

  tab.view.go();
  await tab.advance(SECOND);

  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
  assert.equal(tab.server.transactions.size, 0);
});

test('a session that ended meanwhile is noticed at that click', async () => {
  const browser = createBrowser();
  browser.server.signIn();
  const tab = await askedTab({ reason: 'halted' }, {}, browser);
  browser.server.signOut();

  tab.view.go();
  await tab.advance(SECOND);

  assert.equal(tab.fate, null);
  assert.equal(tab.windows.length, 1);
});

test('a chat that is stuck is reloaded with what was written, and needs no server', async () => {
  const browser = createBrowser();
  browser.server.down();
  const tab = await askedTab({ reason: 'stuck', code: 'reload_needed', message: 'Say it twice.' }, {}, browser);
  assert.equal(tab.view.action, 'Reload chat');
  assert.equal(tab.view.status, '');

  tab.view.go();
  await tab.advance(1);

  assert.deepEqual(tab.fate, { outcome: 'reload' });
  assert.equal(tab.kept, 1);
  assert.equal(browser.server.requests.length, 0);
});

test('a session alone is no help where Genesys needs a code of the provider', async () => {
  const browser = createBrowser();
  browser.server.signIn();
  const tab = await askedTab({ reason: 'code_needed' }, {}, browser);
  assert.ok(tab.view);
  await tab.advance(10 * SECOND);
  tab.wake();
  await tab.advance(SECOND);

  assert.equal(tab.fate, null);
});

test("the brand's own surface gets an address, and the transaction is the evidence", async () => {
  let wish = null;
  const modal = async (given) => void (wish = given);
  const tab = await askedTab({ modal, code: 'sign_in_denied' });
  assert.equal(tab.server.last().body.surface, 'modal');
  assert.equal(wish.url, 'https://auth.example/auth/login?transaction=t1');
  assert.equal(wish.reason, 'sign_in');
  assert.equal(wish.message, rooms.WORDS.en.sign_in_denied);
  assert.equal(tab.views.length, 0);
  await tab.advance(30 * SECOND);
  assert.equal(tab.fate, null, 'that it came back says nothing');

  tab.server.arrive();
  await tab.advance(6 * SECOND);

  assert.deepEqual(tab.fate, { outcome: 'signed-in' });
  assert.equal(wish.signal.aborted, true);
  assert.deepEqual(tab.told, ['modal']);
});

test("the brand's surface may give up, and a failure there is handed on", async () => {
  const gaveUp = await askedTab({ modal: async () => { throw new Error('closed'); } });
  assert.deepEqual(gaveUp.fate, { outcome: 'cancelled' });

  const thrown = await askedTab({ modal: () => { throw new Error('a bug of the page'); } });
  assert.deepEqual(thrown.fate, { outcome: 'cancelled' });

  const failed = await askedTab({ modal: () => new Promise(() => {}) });
  failed.server.fail('sign_in_denied');
  await failed.advance(2 * SECOND);
  assert.deepEqual(failed.fate, { outcome: 'cancelled', code: 'sign_in_denied' });
});

test('a code in a frame: done, refused, or given up after eight seconds, and the frame is gone', async () => {
  for (const [change, expected] of [
    [(server) => (server.last().status = 'done'), { done: true }],
    [(server) => server.fail('login_required'), { done: false, code: 'login_required' }],
    [() => {}, { done: false, code: 'timeout' }],
  ]) {
    const browser = createBrowser();
    const tab = openTab(browser);
    await browser.advance(0);
    const made = browser.server.call('/auth/transactions', { surface: 'silent' });
    await browser.advance(100);
    const { id, url } = await made;
    let answer = null;
    void rooms.silent(tab.env, { base: '', id, url, call: browser.server.call }).then((found) => (answer = found));
    await browser.advance(100);
    assert.equal(tab.frames[0].url, url);
    change(browser.server);
    await browser.advance(1_500);
    if (expected.code === 'timeout') assert.equal(answer, null);
    await browser.advance(7 * SECOND);

    assert.deepEqual(answer, expected);
    assert.equal(tab.frames[0].there, false);
    assert.equal(tab.timers.pending(), 0);
  }
});

test('nothing is left behind: no timer, no listener, no channel, no lock', async () => {
  for (const end of [(tab) => tab.view.later(), (tab) => tab.server.arrive(), (tab) => tab.abort.abort()]) {
    const tab = await askedTab();
    tab.view.go();
    end(tab);
    await tab.advance(10 * SECOND);

    assert.ok(tab.fate);
    assert.equal(tab.timers.pending(), 0);
    assert.equal(tab.listeners.size, 0);
    assert.equal(tab.channels.size, 0);
    assert.equal(tab.locks.held('messenger-auth:sign-in'), false);
  }
});

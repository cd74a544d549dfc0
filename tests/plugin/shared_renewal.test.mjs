// Several tabs of one browser: one renewal for all, and whose chat it is by now.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createStorage, createTabs } from './fake_browser.mjs';
import { createWorld, openPage, ownKey, rooms, source } from './rig.mjs';

const MINUTE = 60_000;
const LIFE = 15 * MINUTE;
const HOUR = 60 * MINUTE;

/** A browser with `count` tabs on which the same person is signed in. */
async function openTabs(count, options = {}) {
  const world = { ...createWorld(), tabs: undefined };
  world.tabs = createTabs(world.clock);
  const tabs = [];
  for (let i = 0; i < count; i++) {
    tabs.push(openPage({ ...world, tab: createStorage() }, { seed: i + 1, ...options }));
    await world.clock.advance(2_000);
  }
  return { ...world, pages: tabs };
}

const renewals = (pages) => pages.flatMap((page) => page.genesys.names('Auth.refreshToken').map((call) => call.at));

test('five tabs, four lives: one renewal in each life', async () => {
  const { clock, pages } = await openTabs(5);
  await clock.advance(4 * LIFE);
  assert.equal(renewals(pages).length, 4);
  for (const page of pages) assert.deepEqual([page.auth.status().state, page.auth.status().renewal], ['authenticated', 'scheduled']);
  assert.equal(pages[0].timers.pending(), 5, 'one timer in each');
});

test('one renewal for all on a machine so busy that tabs hear of each other after most of a second', async () => {
  const { clock, pages, tabs } = await openTabs(5);
  tabs.modes.storageEventTakes = 900;
  await clock.advance(4 * LIFE);
  assert.equal(renewals(pages).length, 4);
});

test('a tab whose renewal fails lets the next one try at once', async () => {
  const { clock, pages } = await openTabs(2);
  pages[0].genesys.modes.refresh = { status: 503 };
  await clock.advance(LIFE);
  const [failed, next] = renewals(pages);
  assert.ok(next - failed < 200, `${next - failed} ms`);
});

test('without locks each tab renews for itself', async () => {
  const { clock, pages } = await openTabs(3);
  for (const page of pages) delete page.window.navigator.locks;
  await clock.advance(LIFE);
  const calls = renewals(pages).length;
  assert.ok(calls >= 1 && calls <= 3, `${calls}`);
  for (const page of pages) assert.equal(page.auth.status().renewal, 'scheduled');
});

test('a holder that never lets go costs five seconds, and each waiter renews once without stealing', async () => {
  const { clock, pages, tabs } = await openTabs(1);
  void tabs.locks.request(ownKey('renewal'), { signal: new AbortController().signal }, () => new Promise(() => {}));
  await clock.advance(LIFE - 4_000);
  assert.equal(renewals(pages).length, 0);
  const due = clock.now();
  await clock.advance(6_500);
  assert.equal(renewals(pages).length, 1, `${renewals(pages)[0] - due}`);
  assert.equal(pages[0].auth.status().renewal, 'scheduled');
  assert.equal(tabs.held.get(ownKey('renewal')).length, 1, 'the holder still has it');
});

test('a lock that is refused is no obstacle', async () => {
  const { clock, pages } = await openTabs(1);
  pages[0].window.navigator.locks = { request: () => Promise.reject(new DOMException('no', 'SecurityError')) };
  await clock.advance(LIFE);
  assert.equal(renewals(pages).length, 1);
});

test('a renewal that hangs lets the lock go, and the other tabs go on', async () => {
  const { clock, pages, tabs } = await openTabs(2);
  pages[0].genesys.modes.refresh = 'hang';
  await clock.advance(LIFE + MINUTE);
  assert.equal(pages[1].genesys.names('Auth.refreshToken').length, 1);
  assert.equal(pages[0].auth.status().renewal, 'scheduled', 'it has heard of the new token');
  assert.equal(tabs.held.get(ownKey('renewal')).length, 0);
});

test('nothing is read from the shared storage between the lock and the call', async () => {
  const { clock, pages, tabs } = await openTabs(2);
  tabs.log.length = 0;
  for (const page of pages) {
    const { commands } = page.genesys.plugins.get('Auth');
    const original = commands.refreshToken;
    commands.refreshToken = (e) => (tabs.log.push('call'), original(e));
  }
  await clock.advance(LIFE);
  const from = tabs.log.indexOf('held');
  assert.equal(tabs.log[from + 1], 'call');
  const text = source.slice(source.indexOf("void alone('renewal'"), source.indexOf("work.then(resolve, reject)"));
  assert.ok(text.length > 50);
  assert.doesNotMatch(text, /memory\.(?!key)|page\.local|localStorage/);
});

test('a borrowed token is renewed in time, by whichever tab is there', async () => {
  const { clock, pages } = await openTabs(2);
  await clock.advance(LIFE);
  pages[0].auth.dispose();
  await clock.advance(3 * LIFE);
  assert.equal(renewals(pages).length, 4);
});

test('what another tab says is believed only if it is newer and makes sense', async () => {
  const { clock, pages } = await openTabs(1);
  const [page] = pages;
  for (const newValue of ['junk', '{}', '{"exp":"x"}', '{"exp":1,"offset":0}', null]) {
    page.window.dispatchEvent(Object.assign(new Event('storage'), { key: ownKey('clock'), newValue }));
  }
  page.window.dispatchEvent(Object.assign(new Event('storage'), { key: 'other', newValue: '{"exp":99999999999,"offset":0}' }));
  await clock.advance(LIFE);
  assert.equal(renewals(pages).length, 1);
});

test('a socket that reconnects on a borrowed token, its own being old, renews once all the same', async () => {
  const { clock, pages } = await openTabs(2);
  await clock.advance(LIFE + MINUTE);
  const [borrower] = pages.filter((page) => page.genesys.names('Auth.refreshToken').length === 0);
  borrower.genesys.plugins.get('Auth').commands.refreshToken = (e) => e.resolve(); // the old one is still good
  borrower.genesys.publish('MessagingService', 'reconnecting');
  await clock.advance(10_000);
  assert.equal(borrower.genesys.names('Auth.refreshToken').length, 1);
  for (let i = 0; i < 5; i++) {
    borrower.genesys.publish('MessagingService', 'offline');
    await clock.advance(10_000);
  }
  assert.equal(borrower.genesys.names('Auth.refreshToken').length, 1);
});

test('a socket that is back within moments on a borrowed token costs no renewal', async () => {
  const { clock, pages } = await openTabs(2);
  await clock.advance(LIFE + MINUTE);
  const [borrower] = pages.filter((page) => page.genesys.names('Auth.refreshToken').length === 0);
  borrower.genesys.publish('MessagingService', 'reconnecting');
  await clock.advance(1_100);
  borrower.genesys.publish('MessagingService', 'reconnected');
  await clock.advance(10_000);
  assert.equal(borrower.genesys.names('Auth.refreshToken').length, 0);
});

test('a Messenger that has started again is back, whatever it says besides', async () => {
  const { clock, pages } = await openTabs(2);
  await clock.advance(LIFE + MINUTE);
  const [borrower] = pages.filter((page) => page.genesys.names('Auth.refreshToken').length === 0);
  borrower.genesys.publish('MessagingService', 'reconnecting');
  await clock.advance(1_000);
  borrower.genesys.publish('MessagingService', 'started');
  await clock.advance(5_000);
  borrower.wake('focus');
  await clock.advance(10_000);
  assert.equal(borrower.genesys.names('Auth.refreshToken').length, 0);
});

test('a tab with a dead socket that comes to the front gives its Messenger a moment', async () => {
  const { clock, pages } = await openTabs(2);
  await clock.advance(LIFE + MINUTE);
  const [borrower] = pages.filter((page) => page.genesys.names('Auth.refreshToken').length === 0);
  borrower.show('hidden');
  borrower.genesys.publish('MessagingService', 'reconnecting');
  await clock.advance(10_000);
  borrower.show('visible');
  await clock.advance(1_000);
  borrower.genesys.publish('MessagingService', 'reconnected');
  await clock.advance(10_000);
  assert.equal(borrower.genesys.names('Auth.refreshToken').length, 0);
});

test('a socket that reconnects while its own token is good renews nothing', async () => {
  const { clock, pages } = await openTabs(2);
  await clock.advance(5 * MINUTE);
  for (const page of pages) for (const event of ['reconnecting', 'reconnected', 'offline']) page.genesys.publish('MessagingService', event);
  await clock.advance(MINUTE);
  assert.equal(renewals(pages).length, 0);
});

test('hidden for more than half a minute: it asks who is signed in before anything is sent', async () => {
  const { clock, pages, bff } = await openTabs(1);
  const [page] = pages;
  page.show('hidden');
  await clock.advance(HOUR);
  for (const source_ of [...bff.sources]) bff.sources.delete(source_); // a push that never came
  bff.signIn('ben');
  const before = bff.count('/auth/session');
  page.show('visible');
  await clock.advance(3_000);
  assert.equal(bff.count('/auth/session'), before + 1);
  const names = page.genesys.calls.slice(1).map((call) => call.name).filter((name) => name.startsWith('Auth.'));
  assert.deepEqual(names, ['Auth.logout', 'Auth.getTokens'], 'no renewal of the old token first');
});

test('hidden for a moment: nobody is asked', async () => {
  const { clock, pages, bff } = await openTabs(1);
  const before = bff.count('/auth/session');
  for (let i = 0; i < 5; i++) {
    pages[0].show('hidden');
    await clock.advance(20_000);
    pages[0].show('visible');
    await clock.advance(1_000);
  }
  assert.equal(bff.count('/auth/session'), before);
});

test('another person signs in in another tab: this one changes hands at once', async () => {
  const { clock, pages, bff, tabs } = await openTabs(1);
  for (const source_ of [...bff.sources]) bff.sources.delete(source_);
  bff.signIn('ben');
  const other = openPage({ ...pages[0], tab: createStorage() });
  await clock.advance(5_000);
  assert.equal(tabs.storage.getItem(ownKey('person')), 'tag-ben');
  assert.equal(pages[0].auth.status().name, 'ben');
  assert.equal(other.auth.status().name, 'ben');
});

test('a sign-in in another tab signs this one in, without a look at it', async () => {
  const world = { ...createWorld({ who: null }), tabs: undefined };
  world.tabs = createTabs(world.clock);
  const first = openPage({ ...world, tab: createStorage() });
  await world.clock.advance(5_000);
  assert.equal(first.auth.status().state, 'signed-out');
  world.bff.signIn();
  openPage({ ...world, tab: createStorage() });
  await world.clock.advance(10_000);
  assert.equal(first.auth.status().state, 'authenticated');
});

test('three tabs that must leave at once log out once: the others hear of it', async () => {
  const { clock, pages, bff } = await openTabs(3);
  for (const page of pages) {
    // One revocation of the one session: it is told to all tabs, and a second one is refused.
    page.genesys.plugins.get('Auth').commands.logout = (e) => {
      const first = pages.every((other) => other.left === undefined);
      page.left = true;
      if (!first) return void e.reject({ status: 401, message: 'The token was revoked.' });
      for (const other of pages) other.genesys.publish('Auth', 'loggedOut', { status: 204 });
      e.resolve();
    };
  }
  bff.end('revoked');
  await clock.advance(5_000);
  assert.equal(pages.filter((page) => page.left).length, 1);
  assert.deepEqual(pages.map((page) => page.auth.status().state), ['signed-out', 'signed-out', 'signed-out']);
  assert.deepEqual(pages.map((page) => page.auth.status().code), [undefined, undefined, undefined]);
});

// Renewal on demand.

function openOnDemand(options = {}) {
  const world = options.world || createWorld();
  return openPage(world, { dataset: { renewal: 'on-demand' }, ...options });
}

test('on demand: a day of chatting on one socket costs no renewal and no timer', async () => {
  const page = openOnDemand();
  await page.clock.advance(2_000);
  assert.equal(page.timers.pending(), 0);
  await page.clock.advance(24 * HOUR);
  for (let i = 0; i < 10; i++) page.wake('focus');
  await page.clock.advance(MINUTE);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 0);
  assert.equal(page.timers.pending(), 0);
});

test('on demand: a stale token is renewed on load, and when a socket reconnects', async () => {
  const first = openOnDemand();
  await first.clock.advance(2_000);
  await first.clock.advance(HOUR);
  first.genesys.publish('MessagingService', 'reconnecting');
  await first.clock.advance(1_000);
  assert.equal(first.genesys.names('Auth.refreshToken').length, 1);
  first.genesys.publish('MessagingService', 'reconnected');
  await first.clock.advance(1_000);
  assert.equal(first.genesys.names('Auth.refreshToken').length, 1, 'it is valid now');
  await first.clock.advance(HOUR);
  const second = openOnDemand({ world: first });
  await second.clock.advance(2_000);
  assert.equal(second.genesys.names('Auth.refreshToken').length, 1);
});

test('on demand: a tab whose socket is down renews when it is looked at', async () => {
  const page = openOnDemand();
  await page.clock.advance(2_000);
  page.show('hidden');
  page.genesys.publish('MessagingService', 'offline');
  await page.clock.advance(HOUR);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 0, 'hidden');
  page.show('visible');
  await page.clock.advance(1_000);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 1);
});

test('on demand: a failed renewal is tried again by itself', async () => {
  const page = openOnDemand();
  await page.clock.advance(HOUR);
  let calls = 0;
  page.genesys.modes.refresh = () => (++calls < 3 ? { status: 503 } : 'normal');
  page.genesys.publish('MessagingService', 'offline');
  await page.clock.advance(5 * MINUTE);
  assert.equal(calls, 3);
  assert.equal(page.auth.status().renewal, 'scheduled');
  assert.equal(page.timers.pending(), 0);
});

// Several Messengers on a page.

const OTHER = '99999999-2222-4333-8444-555555555555';

test('a second script with another deployment is a second instance; the same one again is not', async () => {
  const world = createWorld();
  const page = openPage(world);
  const script = (dataset) => ({ src: `${world.bff.base}/static/messenger-auth.js`, dataset });
  const other = rooms.boot(page.window, script({ deployment: OTHER, global: 'Genesys2' }));
  await world.clock.advance(2_000);
  assert.notEqual(other, page.auth);
  assert.equal(page.window.MessengerAuth, page.auth);
  assert.equal(page.auth.of(), page.auth);
  assert.equal(page.auth.of(OTHER), other);
  assert.equal(other.of(page.auth.deployment), page.auth);
  assert.equal(page.auth.of('nobody'), undefined);
  assert.equal(rooms.boot(page.window, script({ deployment: OTHER })), other);
  assert.equal(rooms.boot(page.window, script({})), page.auth);
  assert.equal(rooms.boot(page.window, script({ deployment: page.auth.deployment })), page.auth);
  assert.deepEqual([...page.window.Genesys2.q[0]].slice(0, 2), ['registerPlugin', 'AuthProvider']);
});

test('each instance hears its own changes, and the events name the deployment', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world);
  const other = rooms.boot(page.window, { src: `${world.bff.base}/static/messenger-auth.js`, dataset: { deployment: OTHER, global: 'Genesys2' } });
  const heard = { first: [], other: [] };
  page.auth.on('*', (detail) => heard.first.push(detail.deployment));
  other.on('*', (detail) => heard.other.push(detail.deployment));
  await world.clock.advance(3_000);
  assert.deepEqual([...new Set(heard.first)], [page.auth.deployment]);
  assert.deepEqual([...new Set(heard.other)], [OTHER]);
  assert.deepEqual([...new Set(page.details.map((detail) => detail.deployment))].sort(), [page.auth.deployment, OTHER].sort());
});

test('a page chooses the provider for a sign-in', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world, { dataset: { provider: 'corporate' } });
  await world.clock.advance(1_000);
  page.click();
  page.auth.signIn({ provider: 'friends' });
  await world.clock.advance(1_000);
  assert.equal(new URL(page.moves[0]).searchParams.get('provider'), 'friends');
});

test('?debug on the address of the script logs as data-debug does', async () => {
  const world = createWorld();
  const page = openPage(world, { load: false });
  assert.deepEqual(page.logged, []);
  const other = rooms.boot(page.window, { src: `${world.bff.base}/static/messenger-auth.js?debug`, dataset: { deployment: OTHER } });
  await world.clock.advance(1_000);
  assert.equal(other.status().state, 'signed-in');
  assert.ok(page.logged.length > 0);
});

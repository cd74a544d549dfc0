// Many random days: whatever happens in whatever order, every command settles once, at most one
// renewal timer waits, nobody is asked twice at once, calls are bounded, and an unattended page comes to rest.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createTabs } from './fake_browser.mjs';
import { createWorld, openPage, ownKey } from './rig.mjs';
import { createRandom } from './virtual_clock.mjs';

const DAYS = Number(process.env.PLUGIN_DAYS || 60);
const STEPS = 60;
const MINUTE = 60_000;

const pick = (random, list) => list[Math.floor(random() * list.length)];

/** What may happen to a page. */
const happenings = {
  time: (page, random) => page.clock.advance(random() * 10 * MINUTE),
  sleep: (page, random) => page.clock.sleep(random() * 600 * MINUTE),
  hide: (page) => page.show('hidden'),
  show: (page) => page.show('visible'),
  offline: (page) => void (page.window.navigator.onLine = false),
  online: (page) => { page.window.navigator.onLine = true; page.wake('online'); },
  focus: (page) => page.wake('focus'),
  back: (page) => page.pageShow(),
  skew: (page, random) => page.clock.setSkew((random() - 0.5) * 48 * 60 * MINUTE),
  refresh: (page, random) =>
    void (page.genesys.modes.refresh = pick(random, ['normal', 'early', 'noop', 'same', 'hang', { status: 400 }, { status: 429, retryAfter: 30 }, { message: 'x' }])),
  exchange: (page, random) => void (page.genesys.modes.exchange = pick(random, ['normal', 'normal', 400, 500])),
  life: (page, random) => void (page.genesys.modes.life = pick(random, [1, 60, 300, 900, 86_400])),
  reAuthMode: (page, random) => void (page.genesys.modes.reAuthenticate = pick(random, ['normal', 'dead'])),
  logoutMode: (page, random) => void (page.genesys.modes.logout = pick(random, ['normal', 'reject', 'hang'])),
  outage: (page, random) => {
    const fault = pick(random, [null, 'network', 'hang', page.bff.refusal(503, 'store_unavailable', { 'Retry-After': '5' }), page.bff.refusal(403, 'origin_refused')]);
    page.bff.faults[pick(random, ['/auth/session', '/messenger/code', '/auth/logout'])] = fault ? [fault, fault, fault] : [];
  },
  otherPerson: (page, random) => page.bff.signIn(pick(random, ['anna', 'ben'])),
  ended: (page) => page.bff.end('revoked'),
  broken: (page) => { for (const source of [...page.bff.sources]) source.fail(); },
  event: (page) => page.genesys.publish('Auth', 'authenticated', { jwt: page.genesys.token() || 'junk' }),
  loggedOut: (page) => page.genesys.publish('Auth', 'loggedOut', {}),
  getAuthCode: (page, random) => void page.genesys.command('AuthProvider.getAuthCode', { forceUpdate: random() < 0.3 }).catch(() => {}),
  reAuthenticate: (page) => void page.genesys.pressReAuthenticate().catch(() => {}),
  pressSignIn: (page) => void page.genesys.pressSignIn().catch(() => {}),
  click: (page, random) => page.click(random() < 0.5),
  answer: (page, random) => page.dialog.open()[0]?.answer(pick(random, ['signed-in', 'cancelled', 'leaving', 'reload'])),
  redirect: (page, random) => void page.dialog.open()[0]?.needs.redirect(random() < 0.3),
  signInThere: (page) => { const [question] = page.dialog.open(); if (question) { page.bff.signIn(); question.answer('signed-in'); } },
  scripts: (page, random) => void (page.noScripts = random() < 0.3),
  socket: (page, random) => page.genesys.publish('MessagingService', pick(random, ['offline', 'reconnecting', 'reconnected'])),
  otherTab: (page, random) => {
    const exp = Math.floor(page.clock.now() / 1000) + Math.floor(random() * 2_000);
    const record = pick(random, [JSON.stringify({ exp, offset: 0 }), 'junk', null]);
    page.window.dispatchEvent(Object.assign(new Event('storage'), { key: ownKey('clock'), newValue: record }));
  },
  otherOwner: (page, random) =>
    page.window.dispatchEvent(Object.assign(new Event('storage'), { key: ownKey('person'), newValue: pick(random, ['tag-anna', 'tag-ben', null]) })),
  frozenTab: (page, random) => {
    if (random() < 0.2) void page.tabs.locks.request(ownKey('renewal'), { signal: new AbortController().signal }, () => new Promise(() => {}));
  },
  front: (page, random) => {
    page.dialog.silent = async () => pick(random, [{ done: true }, { done: false }]);
    page.bff.faults['/messenger/code'] = [page.bff.answer(202, { front_channel: { id: 'f', url: 'u', expires_in: 60 } })];
  },
  signIn: (page) => void page.auth.signIn(),
  signOut: (page) => void page.auth.signOut(),
  retry: (page) => void page.auth.retry(),
};

const most = (times, span) => Math.max(0, ...times.map((t) => times.filter((u) => u >= t && u < t + span).length));

async function liveThrough(seed) {
  const random = createRandom(seed);
  const world = createWorld({ who: random() < 0.7 ? 'anna' : null });
  world.tabs = createTabs(world.clock);
  const dataset = { ...(random() < 0.2 && { renewal: 'on-demand' }), ...(random() < 0.3 && { surface: 'popup' }), ...(random() < 0.1 && { dialog: 'none' }) };
  const page = openPage(world, { seed, genesys: {}, dataset });
  const load = page.window.imports;
  page.window.imports = (url) => (page.noScripts ? Promise.reject(new TypeError('404')) : load(url));
  const told = [];
  let mostOpen = 0;
  for (let step = 0; step < STEPS; step++) {
    const name = pick(random, Object.keys(happenings));
    told.push(name);
    await happenings[name](page, random);
    await world.clock.advance(random() * 5_000);
    mostOpen = Math.max(mostOpen, page.dialog.open().length);
    assert.ok(page.timers.pending() <= 10, `${page.timers.pending()} timers: ${told}`);
  }
  // Nothing more is done to it but that the last question is answered, and it comes to rest.
  page.noScripts = false;
  for (let i = 0; i < 3; i++) {
    page.dialog.open()[0]?.answer('cancelled');
    await world.clock.advance(11_000);
  }
  world.bff.faults = {};
  page.show('hidden');
  await world.clock.advance(60 * MINUTE);
  return { page, told, mostOpen };
}

test(`${DAYS} random days`, async () => {
  for (let seed = 1; seed <= DAYS; seed++) {
    const { page, told, mostOpen } = await liveThrough(seed);
    const because = `seed ${seed}: ${told.join(' ')}`;
    assert.deepEqual(page.genesys.offences(), [], because);
    assert.ok(mostOpen <= 1, `${mostOpen} questions at once, ${because}`);
    const ours = page.genesys.calls.filter((call) => call.name.startsWith('AuthProvider.'));
    assert.equal(ours.filter((call) => call.resolved + call.rejected !== 1).length, 0, because);
    const refreshes = page.genesys.names('Auth.refreshToken').map((call) => call.at);
    assert.ok(most(refreshes, 10 * MINUTE) <= 71, because);
    assert.ok(most(page.bff.requests.filter((r) => r.path === '/messenger/code').map((r) => r.at), 5 * MINUTE) <= 2 * 12 * 4, because);
    assert.ok(page.timers.pending() <= 1, `${page.timers.pending()} timers left, ${because}`);

    const before = page.bff.requests.length + page.genesys.calls.length;
    await page.clock.advance(24 * 60 * MINUTE);
    assert.equal(page.bff.requests.length + page.genesys.calls.length, before, `a hidden page is quiet, ${because}`);
  }
});

// getAuthCode, reAuthenticate and signIn: each settles once, with a code that nobody has used.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BLOCKED } from './fake_browser.mjs';
import { createWorld, openPage, openSignedIn, ownKey, tokenKey } from './rig.mjs';

const MINUTE = 60_000;

/** Every finished command of ours settled exactly once; `open` of them were left open on purpose. */
function assertSettledOnce(page, open = 0) {
  assert.deepEqual(page.genesys.offences(), []);
  const ours = page.genesys.calls.filter((call) => call.name.startsWith('AuthProvider.'));
  assert.equal(ours.filter((call) => call.resolved + call.rejected === 0).length, open);
}

test('it registers its three commands before it says ready, and no Auth.* name', async () => {
  const page = await openSignedIn();
  const { commands, afterReady, isReady } = page.genesys.plugins.get('AuthProvider');
  assert.deepEqual(Object.keys(commands).sort(), ['getAuthCode', 'reAuthenticate', 'signIn']);
  assert.deepEqual(afterReady, []);
  assert.equal(isReady, true);
});

test('on load a signed-in person becomes authenticated without a question', async () => {
  const page = await openSignedIn();
  assert.equal(page.auth.status().state, 'authenticated');
  assert.equal(page.genesys.names('AuthProvider.getAuthCode').length, 1);
  assert.deepEqual(page.moves, []);
  assertSettledOnce(page);
});

test('whoever comes first, the tokens or the session, the page learns the name', async () => {
  const world = createWorld();
  world.bff.faults['/auth/session'] = [{ ...world.bff.answer(200, { signed_in: true, person: 'tag-anna', name: 'anna' }), latency: 400 }];
  const page = openPage(world);
  await world.clock.advance(300);
  assert.equal(page.auth.status().state, 'authenticated');
  assert.equal(page.auth.status().name, undefined);
  await world.clock.advance(300);
  assert.equal(page.auth.status().name, 'anna');
  assert.equal(page.local.getItem(ownKey('person')), 'tag-anna', 'and whose chat it is');
  assert.deepEqual(page.genesys.names('Auth.logout'), []);
});

test('each getAuthCode is a new code, never one handed out before', async () => {
  const page = await openSignedIn();
  for (let i = 0; i < 4; i++) page.genesys.command('AuthProvider.getAuthCode');
  await page.clock.advance(5_000);
  const handedOut = page.genesys.names('AuthProvider.getAuthCode').map((call) => call.value.authCode);
  assert.equal(new Set(handedOut).size, 5);
  assertSettledOnce(page);
});

test('forceUpdate asks the server for a fresh code, without a login', async () => {
  const page = await openSignedIn();
  page.genesys.command('AuthProvider.getAuthCode', { forceUpdate: true });
  await page.clock.advance(1_000);
  assert.deepEqual(page.bff.requests.at(-1).body, { forceUpdate: true });
  assert.deepEqual(page.moves, []);
  assertSettledOnce(page);
});

test('without a session getAuthCode is refused quickly and clearly, and nobody is sent anywhere', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world);
  await world.clock.advance(1_000);
  const [call] = page.genesys.names('AuthProvider.getAuthCode');
  assert.equal(call.rejected, 1);
  assert.deepEqual(call.error, { code: 'login_required', message: 'Sentence of login_required.' });
  assert.deepEqual(page.moves, []);
  assert.equal(page.auth.status().state, 'signed-out');
  assertSettledOnce(page);
});

for (const fault of ['network', 'hang', { status: 503, body: { code: 'store_unavailable', message: 'm' } }, { status: 403, body: { code: 'origin_refused', message: 'm' } }]) {
  const name = typeof fault === 'string' ? fault : fault.status;
  test(`every command settles when the server answers with: ${name}`, async () => {
    const world = createWorld();
    const page = openPage(world, { autoLogin: false });
    await world.clock.advance(500);
    world.bff.faults['/messenger/code'] = { always: fault };
    for (const command of ['getAuthCode', 'reAuthenticate', 'signIn']) page.genesys.command('AuthProvider.' + command).catch(() => {});
    await world.clock.advance(25_000);
    for (const command of ['getAuthCode', 'reAuthenticate', 'signIn']) {
      const [call] = page.genesys.names('AuthProvider.' + command);
      assert.equal(call.rejected, 1, command);
      assert.deepEqual(Object.keys(call.error).sort(), ['code', 'message']);
      assert.ok(call.error.message.length > 0);
    }
    assert.deepEqual(page.moves, []);
    assert.equal(page.dialog.asked.length, 0, 'an outage is no reason to ask anybody');
    assertSettledOnce(page);
  });
}

test('an outage at load ends by itself when the server is back', async () => {
  const world = createWorld();
  const down = world.bff.refusal(503, 'store_unavailable', { 'Retry-After': '3' });
  world.bff.faults['/auth/session'] = [down];
  world.bff.faults['/messenger/code'] = [down];
  const page = openPage(world);
  await world.clock.advance(200);
  assert.equal(page.auth.status().state, 'unavailable');
  assert.equal(page.auth.status().code, 'store_unavailable');
  await world.clock.advance(20_000);
  assert.equal(page.auth.status().state, 'authenticated');
  const [, second] = world.bff.requests.filter((request) => request.path === '/auth/session');
  assert.ok(second.at - world.bff.requests[0].at >= 3_000, 'Retry-After is obeyed');
  assertSettledOnce(page);
});

test('a long outage costs a few requests, then none until somebody looks', async () => {
  const world = createWorld();
  world.bff.faults['/auth/session'] = { always: 'network' };
  world.bff.faults['/messenger/code'] = { always: 'network' };
  const page = openPage(world);
  await world.clock.advance(10 * MINUTE);
  const before = world.bff.requests.length;
  assert.ok(before <= 12, `${before}`);
  await world.clock.advance(600 * MINUTE);
  assert.equal(world.bff.requests.length, before);
  assert.equal(page.timers.pending(), 0);

  world.bff.faults['/auth/session'] = [];
  world.bff.faults['/messenger/code'] = [];
  page.wake('online');
  await world.clock.advance(MINUTE);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('reAuthenticate with a living session is silent, and its code is not the one that getAuthCode gives next', async () => {
  const page = await openSignedIn();
  page.genesys.modes.payloads = [];
  await Promise.all([page.genesys.pressReAuthenticate(), page.clock.advance(5_000)]);
  const [payload] = page.genesys.modes.payloads;
  const next = page.genesys.names('AuthProvider.getAuthCode').at(-1).value;
  assert.notEqual(payload.authCode, next.authCode);
  assert.equal(page.bff.codes.get(payload.authCode).used, 0, 'the payload could have been redeemed too');
  assert.equal(page.auth.status().state, 'authenticated');
  assert.deepEqual(page.moves, []);
  assertSettledOnce(page);
});

test('reAuthenticate after a click, without a session, goes to the sign-in page, and leaves the command open', async () => {
  const page = await openSignedIn({ dataset: { provider: 'corporate' } });
  page.bff.forget();
  page.click();
  page.genesys.pressReAuthenticate().catch(() => {});
  await page.clock.advance(1_000);
  assert.equal(page.moves.length, 1);
  const url = new URL(page.moves[0]);
  assert.equal(url.origin + url.pathname, `${page.bff.base}/auth/login`);
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    return_to: '/shop?item=1',
    origin: 'http://www.brand.localhost:8001',
    surface: 'redirect',
    provider: 'corporate',
  });
  assert.equal(page.auth.status().state, 'signing-in');
  assertSettledOnce(page, 1);
});

test('two commands that need a sign-in leave the page once', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world, { autoLogin: false });
  await world.clock.advance(500);
  page.click();
  page.genesys.command('AuthProvider.reAuthenticate').catch(() => {});
  page.genesys.command('AuthProvider.signIn').catch(() => {});
  await world.clock.advance(1_000);
  assert.equal(page.moves.length, 1);
});

test('a page that did not go away, or came back by the Back button, settles what it left open', async () => {
  for (const how of ['timer', 'back']) {
    const world = createWorld({ who: null });
    const page = openPage(world, { autoLogin: false });
    await world.clock.advance(500);
    page.click();
    page.genesys.pressSignIn().catch(() => {});
    await world.clock.advance(1_000);
    assertSettledOnce(page, 1);
    if (how === 'back') page.pageShow();
    await world.clock.advance(how === 'back' ? 1_000 : 31_000);
    assertSettledOnce(page);
    assert.equal(page.auth.status().state, 'sign-in-failed');
    assert.ok(page.genesys.events.some((event) => event.event === 'AuthProvider.signInFailed'));
  }
});

test('a loop of sign-ins over redirects ends after three, with a sentence in the dialog; who reads it may go on', async () => {
  const world = createWorld({ who: null });
  for (let load = 0; load < 4; load++) {
    const page = openPage(world, { autoLogin: false });
    await world.clock.advance(500);
    page.click();
    page.genesys.pressReAuthenticate().catch(() => {});
    await world.clock.advance(5_000);
    assert.equal(page.moves.length, load < 3 ? 1 : 0, `load ${load}`);
    if (load < 3) continue;
    const [{ needs }] = page.dialog.asked;
    assert.equal(needs.code, 'sign_in_loop');
    assert.match(needs.message, /several times/);
    assert.equal(needs.activated, false);
    assert.equal(needs.redirect(false), false);
    assert.deepEqual(page.moves, []);
    assert.equal(needs.redirect(true), true);
    assert.equal(page.moves.length, 1);
  }
});

test('five minutes later the loop guard has forgotten', async () => {
  const world = createWorld({ who: null });
  for (let load = 0; load < 6; load++) {
    const page = openPage(world, { autoLogin: false });
    await world.clock.advance(500);
    page.click();
    page.genesys.pressReAuthenticate().catch(() => {});
    await world.clock.advance(2 * MINUTE);
    assert.equal(page.moves.length, 1, `load ${load}`);
  }
});

test('where nothing can be remembered, only a click leaves the page', async () => {
  const world = { ...createWorld({ who: null }), local: BLOCKED, tab: BLOCKED };
  const page = openPage(world, { autoLogin: false });
  await world.clock.advance(500);
  page.genesys.pressReAuthenticate().catch(() => {});
  await world.clock.advance(1_000);
  assert.deepEqual(page.moves, []);
  assert.equal(page.dialog.asked[0].needs.redirect(false), true);
  assert.equal(page.moves.length, 1);
});

test('signIn with a living session publishes signedIn with the very data it resolves with', async () => {
  const world = createWorld();
  const page = openPage(world, { autoLogin: false });
  await world.clock.advance(500);
  page.genesys.pressSignIn().catch(() => {});
  await world.clock.advance(2_000);
  const [call] = page.genesys.names('AuthProvider.signIn');
  const published = page.genesys.events.filter((event) => event.event === 'AuthProvider.signedIn');
  assert.equal(published.length, 1);
  assert.deepEqual(published[0].data, call.value);
  assert.equal(page.auth.status().state, 'authenticated');
  assertSettledOnce(page);
});

test('a failed signIn publishes signInFailed once and rejects once', async () => {
  const world = createWorld();
  const page = openPage(world, { autoLogin: false });
  await world.clock.advance(500);
  world.bff.faults['/messenger/code'] = [world.bff.refusal(503, 'store_unavailable')];
  page.genesys.pressSignIn().catch(() => {});
  await world.clock.advance(1_000);
  const failed = page.genesys.events.filter((event) => event.event === 'AuthProvider.signInFailed');
  assert.deepEqual(failed.map((event) => event.data.code), ['store_unavailable']);
  assertSettledOnce(page);
});

test('signInFailed is never an answer to Auth.error, and nothing navigates in Auth.signingIn', async () => {
  const page = await openSignedIn();
  for (const event of ['error', 'authError', 'tokenError', 'signingIn', 'signedIn']) page.genesys.publish('Auth', event, { message: 'x' });
  await page.clock.advance(MINUTE);
  assert.deepEqual(page.moves, []);
  assert.ok(!page.genesys.events.some((event) => event.event === 'AuthProvider.signInFailed'));
});

test('a resolve that Messenger ignores: two more tries, then "reload", and a reload on request', async () => {
  const page = await openSignedIn();
  page.genesys.modes.reAuthenticate = 'dead';
  page.genesys.modes.exchange = 400;
  page.genesys.pressReAuthenticate().catch(() => {});
  await page.clock.advance(9_000);
  assert.equal(page.genesys.names('Auth.getTokens').length, 0);
  await page.clock.advance(60 * MINUTE);
  assert.equal(page.genesys.names('Auth.getTokens').length, 2);
  const [question] = page.dialog.open();
  assert.deepEqual([question.needs.reason, question.needs.code], ['stuck', 'reload_needed']);
  question.answer('cancelled');
  await page.clock.advance(10);
  assert.equal(page.auth.status().state, 'stuck');
  page.auth.retry();
  await page.clock.advance(1_000);
  assert.deepEqual(page.moves, ['reload']);
});

test('the first nudge is enough when Messenger only slept', async () => {
  const page = await openSignedIn();
  page.genesys.modes.reAuthenticate = 'dead';
  page.genesys.pressReAuthenticate().catch(() => {});
  await page.clock.advance(5 * MINUTE);
  assert.equal(page.genesys.names('Auth.getTokens').length, 1);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('a Messenger that never asks for a code is nudged once after load', async () => {
  const world = createWorld();
  const page = openPage(world, { autoLogin: false });
  await world.clock.advance(MINUTE);
  assert.equal(page.genesys.names('Auth.getTokens').length, 1);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('an endless loop of code requests meets a ceiling', async () => {
  const page = await openSignedIn();
  for (let i = 0; i < 100; i++) page.genesys.command('AuthProvider.getAuthCode').catch(() => {});
  await page.clock.advance(5_000);
  assert.ok(page.bff.count('/messenger/code') <= 12, `${page.bff.count('/messenger/code')}`);
  assert.ok(page.states().includes('halted'));
  assert.deepEqual(page.dialog.open().map(({ needs }) => [needs.reason, needs.code]), [['halted', 'sign_in_loop']]);
  assertSettledOnce(page);
  page.dialog.open()[0].answer('cancelled');
  await page.clock.advance(100);
  page.auth.retry();
  await page.clock.advance(2_000);
  assert.equal(page.auth.status().state, 'authenticated', 'a click forgives');
});

test('an exchange that always fails is not tried for ever', async () => {
  const world = createWorld();
  const page = openPage(world, { modes: { exchange: 400 } });
  await world.clock.advance(600 * MINUTE);
  assert.ok(world.bff.count('/messenger/code') <= 4, `${world.bff.count('/messenger/code')}`);
  assert.ok(page.states().includes('stuck'));
  assert.equal(page.dialog.open().length, 1);
  assert.equal(page.timers.pending(), 0);
});

test('an expired stored token is renewed at once on load, however it is stored', async () => {
  for (const form of [(jwt) => jwt, JSON.stringify, (jwt) => JSON.stringify({ value: jwt, expires: 1 })]) {
    const first = await openSignedIn();
    const { local, clock } = first;
    local.setItem(tokenKey, form(first.genesys.token()));
    await clock.advance(1);
    clock.sleep(30 * MINUTE);
    const page = openPage({ ...first, tab: first.tab });
    await clock.advance(1_000);
    assert.equal(page.genesys.names('Auth.refreshToken').length, 1);
    assert.equal(page.genesys.names('AuthProvider.getAuthCode').length, 0);
    assert.equal(page.auth.status().state, 'authenticated');
  }
});

test('garbage in storage is no token', async () => {
  const world = createWorld();
  world.local.setItem(ownKey('person'), 'tag-anna');
  world.local.setItem(ownKey('clock'), '{"exp":');
  world.local.setItem(tokenKey, 'eyJ.%%%.x{"');
  world.tab.setItem(ownKey('redirects'), '{}');
  const page = openPage(world, { autoLogin: false });
  await world.clock.advance(30_000);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('blocked storage: it works all the same', async () => {
  const world = { ...createWorld(), local: BLOCKED, tab: BLOCKED };
  const page = openPage(world);
  await world.clock.advance(2_000);
  assert.equal(page.auth.status().state, 'authenticated');
  await world.clock.advance(60 * MINUTE);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 4);
});

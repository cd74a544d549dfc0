// Whose chat it is: wrong accounts, sign-out here and elsewhere, endings that are pushed, halted renewals.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BLOCKED, createStorage } from './fake_browser.mjs';
import { createWorld, openPage, openSignedIn, ownKey, tokenKey } from './rig.mjs';

const MINUTE = 60_000;
const names = (page) => page.genesys.calls.map((call) => call.name).filter((name) => name.startsWith('Auth.'));

/** The same browser, later: storage is kept, the page is new. */
const reload = (page, options) => openPage({ ...page }, options);

test('only an opaque tag is remembered, and nothing secret', async () => {
  const page = await openSignedIn();
  await page.clock.advance(20 * MINUTE);
  assert.equal(page.local.getItem(ownKey('person')), 'tag-anna');
  const ours = [...page.local.entries(), ...page.tab.entries()].filter(([key]) => key.startsWith('messenger-auth:'));
  assert.deepEqual(ours.map(([key]) => key).sort(), [ownKey('clock'), ownKey('person')]);
  assert.deepEqual(Object.keys(JSON.parse(page.local.getItem(ownKey('clock')))).sort(), ['exp', 'late', 'offset']);
});

test('another person at this browser: the old chat is left first, then the new person is let in', async () => {
  const first = await openSignedIn();
  first.bff.signIn('ben');
  const page = reload(first);
  await page.clock.advance(3_000);
  assert.deepEqual(names(page), ['Auth.logout', 'Auth.getTokens']);
  assert.equal(page.local.getItem(ownKey('person')), 'tag-ben');
  const claims = JSON.parse(Buffer.from(page.genesys.token().split('.')[1], 'base64url'));
  assert.equal(claims.sub, 'tag-ben');
  assert.equal(page.auth.status().name, 'ben');
});

test('the same person again: nothing is torn down, no code is asked for', async () => {
  const first = await openSignedIn();
  const page = reload(first);
  await page.clock.advance(5_000);
  assert.deepEqual(names(page), []);
  assert.equal(page.auth.status().reason, 'restored');
});

test('nobody is signed in any more: the chat that was kept is closed', async () => {
  const first = await openSignedIn();
  first.bff.forget();
  const page = reload(first);
  await page.clock.advance(5_000);
  assert.deepEqual(names(page), ['Auth.logout']);
  assert.equal(page.local.getItem(ownKey('person')), null);
  assert.equal(page.genesys.token(), null);
  assert.deepEqual(page.states(), ['signed-out'], 'it never looked as if anybody was there');
});

test('tokens of nobody knows whom are not trusted', async () => {
  const first = await openSignedIn();
  first.local.removeItem(ownKey('person'));
  const page = reload(first);
  await page.clock.advance(3_000);
  assert.deepEqual(names(page), ['Auth.logout', 'Auth.getTokens']);
  assert.equal(page.local.getItem(ownKey('person')), 'tag-anna');
});

test('a logout that did not work is tried again at the next load', async () => {
  for (const logout of ['reject', 'hang']) {
    const first = await openSignedIn();
    first.bff.forget();
    const page = reload(first, { modes: { logout } });
    await page.clock.advance(5_000);
    assert.equal(page.local.getItem(ownKey('person')), 'tag-anna');
    const next = reload(first);
    await next.clock.advance(5_000);
    assert.deepEqual(names(next), ['Auth.logout']);
    assert.equal(next.local.getItem(ownKey('person')), null);
  }
});

test('tokens that Messenger announces for somebody else are not taken for the new person', async () => {
  const first = await openSignedIn();
  const jwt = first.genesys.token();
  first.bff.signIn('ben');
  const page = reload(first, { modes: { logout: 'hang' } });
  await page.clock.advance(100);
  page.genesys.publish('Auth', 'authenticated', { jwt });
  await page.clock.advance(500);
  assert.equal(page.local.getItem(ownKey('person')), 'tag-anna');
});

test('two deployments on one site do not mix', async () => {
  const other = '99999999-2222-4333-8444-555555555555';
  const first = await openSignedIn();
  const page = openPage({ ...first }, { dataset: { deployment: other }, genesys: { deploymentId: other } });
  await page.clock.advance(3_000);
  assert.equal(page.local.getItem(`messenger-auth:${other}:person`), 'tag-anna');
  assert.equal(page.local.getItem(ownKey('person')), 'tag-anna');
  assert.deepEqual(names(page), []);
});

test('the session ends elsewhere: the chat ends here, with the reason', async () => {
  const page = await openSignedIn();
  page.bff.end('provider_logout');
  await page.clock.advance(10);
  assert.equal(page.auth.status().state, 'signed-out');
  assert.equal(page.auth.status().reason, 'provider_logout');
  await page.clock.advance(1_000);
  assert.deepEqual(names(page), ['Auth.logout']);
  assert.equal(page.genesys.token(), null);
  assert.equal(page.bff.sources.size, 0);
});

test('if that chat cannot be closed, the person is told', async () => {
  const page = await openSignedIn({ modes: { logout: 'hang' } });
  page.bff.end();
  await page.clock.advance(3_000);
  assert.equal(page.auth.status().state, 'signed-out');
  assert.equal(page.auth.status().code, 'messenger_logout_failed');
});

test('if the chat of who was here before cannot be closed, nobody writes into it: it must be reloaded', async () => {
  for (const logout of ['reject', 'hang']) {
    const first = await openSignedIn();
    first.bff.signIn('ben');
    const page = reload(first, { modes: { logout } });
    await page.clock.advance(8_000);
    assert.deepEqual(page.dialog.asked.map(({ needs }) => needs.reason), ['stuck']);
    await page.clock.advance(60_000);
    assert.deepEqual(names(page), ['Auth.logout', 'Auth.logout'], 'no token for the new person meanwhile');
    const next = reload(page);
    await next.clock.advance(3_000);
    assert.equal(next.local.getItem(ownKey('person')), 'tag-ben');
  }
});

test('one sign-out ends every tab', async () => {
  const first = await openSignedIn();
  const second = openPage({ ...first, tab: createStorage() });
  await first.clock.advance(2_000);
  assert.equal(first.bff.sources.size, 2);
  const done = first.auth.signOut();
  await first.clock.advance(500);
  first.bff.end('signed_out');
  await first.clock.advance(3_000);
  await done;
  assert.equal(first.auth.status().state, 'signed-out');
  assert.equal(second.auth.status().state, 'signed-out');
});

test('sign-out: Messenger first, then our server, then wherever the provider wants', async () => {
  const page = await openSignedIn();
  page.bff.setLogoutUrl('https://idp.example/logout?x=1');
  page.auth.signOut();
  await page.clock.advance(3_000);
  const logout = page.bff.requests.at(-1);
  assert.equal(logout.path, '/auth/logout');
  assert.deepEqual(logout.body, { return_to: '/shop?item=1', origin: 'http://www.brand.localhost:8001' });
  assert.ok(page.genesys.names('Auth.logout')[0].at < logout.at);
  assert.deepEqual(page.moves, ['https://idp.example/logout?x=1']);
  assert.equal(page.auth.status().state, 'signed-out');
  assert.equal(page.timers.pending(), 0);
});

test('a sign-out is not held up by a Messenger that hangs or fails', async () => {
  for (const logout of ['hang', 'reject']) {
    const page = await openSignedIn({ modes: { logout } });
    const asked = page.clock.now();
    page.auth.signOut();
    await page.clock.advance(5_000);
    const request = page.bff.requests.find(({ path }) => path === '/auth/logout');
    assert.ok(request.at - asked <= 2_600, `${request.at - asked}`);
    assert.equal(page.bff.signedIn(), false);
  }
});

test('asked twice, it signs out once', async () => {
  const page = await openSignedIn();
  page.auth.signOut();
  page.auth.signOut();
  await page.clock.advance(3_000);
  assert.equal(page.bff.count('/auth/logout'), 1);
});

test('a javascript: address is never followed', async () => {
  const page = await openSignedIn();
  page.bff.setLogoutUrl('javascript:alert(1)');
  page.auth.signOut();
  await page.clock.advance(3_000);
  assert.deepEqual(page.moves, []);
});

test('a sign-out that does not reach the server says so: nobody believes to be signed out', async () => {
  const page = await openSignedIn();
  page.bff.faults['/auth/logout'] = ['network'];
  page.auth.signOut();
  await page.clock.advance(15_000);
  assert.equal(page.auth.status().state, 'sign-out-failed');
  assert.equal(page.auth.status().code, 'sign_out_failed');
  page.auth.signOut();
  await page.clock.advance(5_000);
  assert.equal(page.auth.status().state, 'signed-out');
});

test('a session that had ended already is a sign-out that worked', async () => {
  const page = await openSignedIn();
  page.bff.faults['/auth/logout'] = [page.bff.refusal(401, 'login_required')];
  page.auth.signOut();
  await page.clock.advance(5_000);
  assert.equal(page.auth.status().state, 'signed-out');
});

test('while signing out no code is given: Messenger would sign straight in again', async () => {
  const page = await openSignedIn({ modes: { logout: 'hang' } });
  page.auth.signOut();
  await page.clock.advance(100);
  for (const command of ['getAuthCode', 'reAuthenticate', 'signIn']) page.genesys.command('AuthProvider.' + command).catch(() => {});
  await page.clock.advance(500);
  assert.deepEqual(page.genesys.calls.slice(-3).map((call) => call.rejected), [1, 1, 1]);
  assert.equal(page.bff.count('/messenger/code'), 1);
  assert.deepEqual(page.moves, []);
});

test('a logout on another device stops renewal here and is no sign-out', async () => {
  const page = await openSignedIn();
  page.genesys.publish('Auth', 'loggedOut', { status: 204 });
  await page.clock.advance(60 * MINUTE);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 0);
  assert.equal(page.auth.status().state, 'signed-in');
  assert.equal(page.local.getItem(ownKey('person')), null);
});

test('a push channel that is closed is not reopened blindly', async () => {
  const page = await openSignedIn();
  const [source] = page.bff.sources;
  assert.equal(source.withCredentials, true);
  page.bff.forget();
  source.fail();
  await page.clock.advance(60 * MINUTE);
  assert.equal(page.bff.sources.size, 0);
  assert.equal(page.auth.status().state, 'signed-out', 'it asked, and noticed');
});

test('a push channel that broke is opened again once the server says that somebody is signed in', async () => {
  const page = await openSignedIn();
  [...page.bff.sources][0].fail();
  await page.clock.advance(MINUTE);
  assert.equal(page.bff.sources.size, 1);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('the push channel names another person: the chat changes hands', async () => {
  const page = await openSignedIn();
  page.bff.signIn('ben');
  for (const source of page.bff.sources) source.say('session', { signed_in: true, person: 'tag-ben' });
  await page.clock.advance(3_000);
  assert.deepEqual(names(page), ['Auth.logout', 'Auth.getTokens']);
  assert.equal(page.local.getItem(ownKey('person')), 'tag-ben');
});

test('even with blocked storage the chat changes hands', async () => {
  const page = await openSignedIn({ world: { ...createWorld(), local: BLOCKED, tab: BLOCKED } });
  page.bff.signIn('ben');
  for (const source of page.bff.sources) source.say('session', { signed_in: true, person: 'tag-ben' });
  await page.clock.advance(3_000);
  assert.deepEqual(names(page), ['Auth.logout', 'Auth.getTokens']);
});

test('a page out of the back-forward cache asks again who is signed in', async () => {
  const page = await openSignedIn();
  const before = page.bff.count('/auth/session');
  page.bff.forget();
  page.pageShow();
  await page.clock.advance(3_000);
  assert.equal(page.bff.count('/auth/session'), before + 1);
  assert.equal(page.auth.status().state, 'signed-out');
  assert.deepEqual(names(page), ['Auth.logout']);
});

test('a sign-in in another tab is noticed when this one is looked at', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world);
  await world.clock.advance(5_000);
  assert.equal(page.auth.status().state, 'signed-out');
  world.bff.signIn();
  page.wake('focus');
  await world.clock.advance(5_000);
  assert.equal(page.auth.status().state, 'authenticated');
  assert.equal(page.bff.sources.size, 1);
});

test('looking at a signed-out page many times does not ask many times', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world);
  await world.clock.advance(5_000);
  const before = world.bff.count('/auth/session');
  for (const name of ['visibilitychange', 'focus', 'pageshow', 'online', 'resume', 'focus']) page.wake(name);
  await world.clock.advance(100);
  for (const name of ['focus', 'focus']) page.wake(name);
  await world.clock.advance(1_000);
  assert.equal(world.bff.count('/auth/session'), before + 1);
});

test('a renewal without progress falls back to a fresh silent code, and the chat goes on', async () => {
  const page = await openSignedIn({ modes: { refresh: 'noop' } });
  await page.clock.advance(20 * MINUTE);
  assert.equal(page.auth.status().state, 'authenticated');
  assert.equal(page.genesys.names('Auth.getTokens').length, 1);
  assert.equal(page.auth.status().renewal, 'scheduled');
});

test('so does a refresh token that is refused', async () => {
  const page = await openSignedIn({ modes: { refresh: { status: 400, message: 'invalid_grant' } } });
  await page.clock.advance(16 * MINUTE);
  assert.equal(page.auth.status().state, 'authenticated');
  assert.equal(page.genesys.names('Auth.refreshToken').length, 2);
  assert.equal(page.genesys.names('Auth.getTokens').length, 1);
});

test('if that does not help either there is one question, then silence; a person tries again', async () => {
  const page = await openSignedIn({ modes: { refresh: 'noop' } });
  page.genesys.modes.exchange = 400;
  await page.clock.advance(20 * MINUTE);
  const halted = page.details.filter((detail) => detail.state === 'halted');
  assert.deepEqual(halted.map(({ reason, code }) => [reason, code]), [['no_progress', 'sign_in_needed']]);
  assert.match(halted[0].message, /sign in/);
  const [question] = page.dialog.open();
  assert.equal(question.needs.reason, 'halted');
  const before = [page.bff.requests.length, page.genesys.calls.length];
  for (let i = 0; i < 20; i++) {
    page.wake();
    await page.clock.advance(60 * MINUTE);
  }
  assert.deepEqual([page.bff.requests.length, page.genesys.calls.length, page.dialog.asked.length], [...before, 1]);
  assert.equal(page.timers.pending(), 0);

  page.genesys.modes.exchange = 'normal';
  question.answer('signed-in');
  await page.clock.advance(2_000);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('"not now" to a halted chat: it stays halted, costs nothing, and a click on the page tries again', async () => {
  const page = await openSignedIn({ modes: { refresh: 'noop', exchange: 'normal' } });
  page.genesys.modes.exchange = 400;
  await page.clock.advance(20 * MINUTE);
  page.dialog.open()[0].answer('cancelled');
  await page.clock.advance(10);
  assert.deepEqual([page.auth.status().state, page.auth.status().reason], ['halted', 'cancelled']);
  const before = [page.bff.requests.length, page.genesys.calls.length];
  for (let i = 0; i < 20; i++) {
    page.wake();
    await page.clock.advance(60 * MINUTE);
  }
  assert.deepEqual([page.bff.requests.length, page.genesys.calls.length, page.dialog.asked.length], [...before, 1]);

  page.genesys.modes.exchange = 'normal';
  page.auth.retry();
  await page.clock.advance(2_000);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('the same token again from the exchange is no progress either', async () => {
  const page = await openSignedIn({ modes: { refresh: 'same' } });
  page.genesys.modes.stuckExp = JSON.parse(Buffer.from(page.genesys.token().split('.')[1], 'base64url')).exp;
  await page.clock.advance(24 * 60 * MINUTE);
  assert.ok(page.states().includes('halted'));
  assert.equal(page.dialog.open().length, 1);
  assert.ok(page.genesys.names('Auth.refreshToken').length <= 5);
  assert.equal(page.genesys.names('Auth.getTokens').length, 1);
});

test('the server is away at load: a known chat still goes on', async () => {
  const first = await openSignedIn();
  first.bff.faults['/auth/session'] = { always: 'network' };
  const page = reload(first);
  await page.clock.advance(60 * MINUTE);
  assert.equal(page.auth.status().state, 'authenticated');
  assert.equal(page.genesys.names('Auth.refreshToken').length, 4);
});

test('a reconnecting Messenger finds a valid token', async () => {
  const page = await openSignedIn();
  page.show('hidden');
  await page.clock.advance(60 * MINUTE);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 0);
  page.window.document.hidden = false;
  page.genesys.publish('MessagingService', 'reconnecting');
  await page.clock.advance(1_000);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 1);
});

test('signIn of the page: silent with a session, the sign-in page without one, nothing if all is well', async () => {
  const well = await openSignedIn();
  const before = well.genesys.calls.length;
  well.auth.signIn();
  await well.clock.advance(2_000);
  assert.equal(well.genesys.calls.length, before);
  assert.deepEqual(well.moves, []);

  const world = createWorld({ who: null });
  const page = openPage(world);
  await world.clock.advance(2_000);
  page.click();
  page.auth.signIn();
  await world.clock.advance(1_000);
  assert.equal(page.moves.length, 1);

  const other = openPage(world, { tab: createStorage() });
  await world.clock.advance(2_000);
  world.bff.signIn();
  other.auth.signIn();
  await world.clock.advance(12_000);
  assert.deepEqual(other.moves, []);
  assert.equal(other.auth.status().state, 'authenticated');
});

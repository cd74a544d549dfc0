// How a guest chat is opened, lost, come back to and ended; and who is signed in meanwhile.
import assert from 'node:assert/strict';
import test from 'node:test';
import { readFileSync } from 'node:fs';
import { BLOCKED } from './fake_browser.mjs';
import { createWorld, fateOf, openChat, openedChat, rooms, source } from './guest_rig.mjs';

const KEY = 'messenger-guest:http://auth.brand.localhost:8002';
const waits = (server) => server.sockets.slice(1).map(({ at }, n) => at - server.sockets[n].at);

test('a chat says what state it is in, and why it pauses', async () => {
  const page = openChat(createWorld());
  assert.equal(page.chat.state, 'connecting');
  await page.advance(1_000);
  assert.equal(page.chat.state, 'open');
  assert.match(page.chat.guestId, /^guest-/);
  assert.match(page.chat.expiresAt, /^2026-/);
  page.server.last().cut();
  await page.advance(0);
  assert.equal(page.chat.state, 'paused');
  await page.advance(5_000);
  page.server.last().tell({ type: 'session_paused' });
  await page.advance(100);
  assert.equal(page.chat.state, 'paused');
  page.server.last().tell({ type: 'session_resumed' });
  await page.advance(100);
  assert.equal(page.chat.state, 'open');
  const told = page.heardBy('state', 'paused', 'resumed').map(({ type, state, reason }) => [type, state || reason].join(' ').trim());
  assert.deepEqual(told, [
    'state open', 'state paused', 'paused connection', 'state open', 'resumed', 'state paused', 'paused service', 'state open', 'resumed',
  ]);
});

test('while Genesys is away messages go to the server all the same', async () => {
  const page = await openedChat();
  page.server.last().tell({ type: 'session_paused' });
  await page.advance(100);
  const fate = fateOf(page.chat.send('hello'));
  await page.advance(1_000);
  assert.equal(fate.is, 'resolved');
});

test('a chat can neither be changed nor faked from outside', async () => {
  const page = await openedChat();
  assert.ok(Object.isFrozen(page.chat));
  assert.ok(page.chat instanceof EventTarget);
  assert.throws(() => { page.chat.state = 'open'; }, TypeError);
  assert.ok(Object.isFrozen(page.window.MessengerGuest));
  assert.throws(() => { page.window.MessengerGuest = {}; }, TypeError);
  const before = page.window.MessengerGuest;
  rooms.install(page.window);
  assert.equal(page.window.MessengerGuest, before);
});

test('an outage is tried again with growing waits that no two pages share, and is told once', async () => {
  const page = await openedChat();
  page.server.modes.reachable = false;
  await page.advance(60_000);
  page.server.last().cut();
  await page.advance(600_000);
  const [, ...gaps] = waits(page.server);
  assert.ok(gaps[0] <= 600 + 20, `${gaps[0]}`);
  assert.ok(gaps.every((gap) => gap <= 30_200), `${gaps}`);
  assert.ok(Math.max(...gaps) > 10_000);
  assert.ok(page.server.sockets.length < 60 && page.server.sockets.length > 15, `${page.server.sockets.length}`);
  assert.deepEqual(page.heardBy('error').map(({ code }) => code), ['unreachable']);
  const other = await openedChat({}, createWorld(), { seed: 2 });
  other.server.modes.reachable = false;
  other.server.last().cut();
  await other.advance(60_000);
  assert.notDeepEqual(waits(other.server).slice(1, 5), gaps.slice(0, 4));
  page.server.modes.reachable = true;
  await page.advance(40_000);
  assert.equal(page.chat.state, 'open');
});

test('full jitter: between a tenth of a second and a ceiling that doubles up to thirty seconds', () => {
  assert.equal(rooms.backoff(0, () => 0), 100);
  assert.equal(rooms.backoff(0, () => 1), 600);
  assert.equal(rooms.backoff(3, () => 1), 4_100);
  assert.equal(rooms.backoff(60, () => 1), 30_100);
});

test('a connection that lasted forgives the failures before it; a short one does not', async () => {
  for (const [life, longest] of [[11_000, 650], [5_000, 40_000]]) {
    const page = await openedChat({}, createWorld(), { seed: 5 });
    page.server.modes.reachable = false;
    page.server.last().cut();
    await page.advance(60_000);
    page.server.modes.reachable = true;
    await page.advance(40_000);
    page.server.last().cut(1012);
    await page.advance(1_000);
    const steady = page.server.last();
    await page.advance(life);
    steady.cut();
    const before = page.server.sockets.length;
    await page.advance(longest);
    assert.equal(page.server.sockets.length, before + 1, `${life}`);
  }
});

test('the code of a close says whether and when to come back', async () => {
  const cases = [
    [1000, 'ended', 'closed'],
    [1008, 'ended', 'too_many_faults'],
    [4009, 'ended', 'displaced'],
    [1012, 'at once'],
    [4001, 'at once'],
    [1013, 'later'],
    [1006, 'later'],
    [1011, 'later'],
  ];
  for (const [code, what, reason] of cases) {
    const page = await openedChat({}, createWorld(), { seed: 3 });
    await page.advance(20_000);
    page.server.last().cut(code, reason);
    await page.advance(0);
    assert.equal(page.server.sockets.length, what === 'at once' ? 2 : 1, `${code}`);
    await page.advance(60_000);
    assert.equal(page.server.sockets.length, what === 'ended' ? 1 : 2, `${code}`);
    assert.equal(page.chat.state, what === 'ended' ? 'ended' : 'open', `${code}`);
    assert.deepEqual(page.heardBy('ended').map((e) => e.reason), reason ? [reason] : []);
    assert.equal(page.heardBy('error')[0]?.code, code === 1008 ? 'refused' : undefined);
  }
});

test('sent back again and again, it does not storm', async () => {
  const page = await openedChat();
  for (let n = 0; n < 20; n++) {
    page.server.last().cut(4001);
    await page.advance(100);
  }
  assert.ok(page.server.sockets.length <= 8, `${page.server.sockets.length}`);
});

test('a network that comes back is used at once, and one that goes is noticed', async () => {
  const page = await openedChat();
  page.server.modes.reachable = false;
  page.server.modes.silent = true;
  page.fire('offline');
  await page.advance(0);
  assert.equal(page.chat.state, 'paused');
  const fate = fateOf(page.chat.send('from the tunnel'));
  await page.advance(300_000);
  const before = page.server.sockets.length;
  Object.assign(page.server.modes, { reachable: true, silent: false });
  page.fire('online');
  assert.equal(page.server.sockets.length, before + 1);
  await page.advance(500);
  assert.equal(page.chat.state, 'open');
  assert.equal(fate.is, 'resolved');
  page.fire('online');
  assert.equal(page.server.sockets.length, before + 1, 'an open chat is left alone');
});

test('somebody who looks at the page does not wait for the back-off', async () => {
  for (const wake of [(page) => page.show(false), (page) => page.fire('pageshow')]) {
    const page = await openedChat({}, createWorld(), { seed: 9 });
    page.server.modes.reachable = false;
    page.server.last().cut();
    await page.advance(300_000);
    while (page.server.living().length) await page.advance(10);
    page.server.modes.reachable = true;
    page.show(true);
    const before = page.server.sockets.length;
    wake(page);
    assert.equal(page.server.sockets.length, before + 1);
    await page.advance(500);
    assert.equal(page.chat.state, 'open');
    wake(page);
    assert.equal(page.server.sockets.length, before + 1);
  }
});

test('a page that is hidden wakes nothing', async () => {
  const page = await openedChat();
  page.server.last().cut();
  page.show(true);
  assert.equal(page.server.sockets.length, 1);
});

test('the back-forward cache keeps no connection, and the page comes back to the same session', async () => {
  const page = await openedChat();
  const { guestId } = page.chat;
  page.fire('pagehide', { persisted: false });
  assert.equal(page.server.living().length, 1);
  page.fire('pagehide', { persisted: true });
  assert.equal(page.server.living().length, 0);
  assert.equal(page.chat.state, 'paused');
  await page.advance(120_000);
  assert.equal(page.server.sockets.length, 1);
  page.fire('pageshow', { persisted: true });
  await page.advance(500);
  assert.deepEqual([page.chat.state, page.chat.guestId], ['open', guestId]);
});

test('a dial that never ends is given up', async () => {
  const page = openChat(createWorld());
  page.server.modes.silent = true;
  await page.advance(15_000);
  page.server.modes.silent = false;
  await page.advance(2_000);
  assert.equal(page.chat.state, 'open');
  assert.equal(page.server.living().length, 1);
});

test('a socket that the browser refuses is an outage, not an exception', async () => {
  const world = createWorld();
  world.server.modes.throws = true;
  const page = openChat(world);
  await page.advance(5_000);
  world.server.modes.throws = false;
  await page.advance(30_000);
  assert.equal(page.chat.state, 'open');
});

test('a key that is none is an outage, not silence', async () => {
  const world = createWorld();
  world.server.modes.created = { publicKey: 'AAAA' };
  const page = openChat(world);
  await page.advance(1_000);
  assert.equal(page.chat.state, 'connecting');
  world.server.modes.created = {};
  await page.advance(5_000);
  assert.equal(page.chat.state, 'open');
});

test('outside a secure context it says so and ends', async () => {
  const page = openChat(createWorld(), {}, { crypto: {} });
  await page.advance(1_000);
  assert.deepEqual(page.heardBy('error', 'ended').map(({ type, code, reason }) => [type, code || reason]), [['error', 'unsupported'], ['ended', 'unsupported']]);
});

test('without resume nothing is stored, and another page is another guest', async () => {
  const page = await openedChat();
  assert.deepEqual(page.tab.entries(), []);
  const again = await openedChat({}, page);
  assert.notEqual(again.chat.guestId, page.chat.guestId);
});

test('with resume a reload goes on, and the history tells both sides', async () => {
  const page = await openedChat({ resume: true });
  await Promise.all([page.chat.send('before'), page.advance(500)]);
  page.server.push('Hello!');
  await page.advance(500);
  assert.deepEqual(page.tab.entries(), [[KEY, page.chat.sessionId]]);
  page.chat.close();
  const again = await openedChat({ resume: true }, page);
  assert.equal(again.chat.guestId, page.chat.guestId);
  assert.deepEqual(again.heardBy('message').map(({ detail }) => [detail.direction, detail.text]), [['Inbound', 'before'], ['Outbound', 'Hello!']]);
  assert.equal(again.tab.entries()[0][1], again.chat.sessionId);
});

test('with blocked storage resume does no harm', async () => {
  const page = await openedChat({ resume: true }, createWorld(), { tab: BLOCKED });
  assert.equal(page.chat.state, 'open');
  page.server.last().cut();
  await page.advance(5_000);
  assert.equal(page.chat.state, 'open');
});

test('what was remembered from before and is over makes room for a new session', async () => {
  const world = createWorld();
  world.tab.setItem(KEY, 'sealed-long-ago');
  for (const resume of [true, 'sealed-of-somebody']) {
    const page = await openedChat({ resume }, world);
    assert.equal(page.chat.state, 'open');
    assert.deepEqual(page.types('ended', 'error'), []);
    assert.notEqual(page.chat.sessionId, 'sealed-long-ago');
  }
});

test('a session that has expired while the page was away has ended', async () => {
  const page = await openedChat({ resume: true });
  page.server.last().session.over = true;
  page.server.last().cut();
  const fate = fateOf(page.chat.send('too late'));
  await page.advance(5_000);
  assert.deepEqual(page.heardBy('ended').map(({ reason }) => reason), ['expired']);
  assert.equal(fate.code, 'session_over');
  assert.deepEqual(page.tab.entries(), []);
});

test('told to open later, it does; told never, it ends with the code', async () => {
  const world = createWorld();
  world.server.openings.push({ code: 'rate_limited', retryAfter: 12 });
  const page = openChat(world);
  await page.advance(11_000);
  assert.equal(world.server.sockets.length, 1);
  await page.advance(2_000);
  assert.equal(page.chat.state, 'open');
  world.server.openings.push({ code: 'frame_fields_wrong' });
  const other = await openedChat({ deviceId: 7 }, world);
  assert.deepEqual(other.heardBy('error', 'ended').map(({ type, code, reason }) => [type, code || reason]), [['error', 'frame_fields_wrong'], ['ended', 'frame_fields_wrong']]);
});

test('the end of a session is told with its reason, and nothing moves any more', async () => {
  const page = await openedChat({ resume: true });
  page.server.modes.echoes = false;
  const fate = fateOf(page.chat.send('unheard'));
  await page.advance(100);
  page.server.last().endSession('signed_out');
  await page.advance(100);
  assert.deepEqual(page.types('state', 'failed', 'ended'), ['state', 'state', 'failed', 'ended']);
  assert.equal(page.heardBy('ended')[0].reason, 'signed_out');
  assert.equal(fate.code, 'session_over');
  assert.deepEqual(page.tab.entries(), []);
  const late = fateOf(page.chat.send('hello?'));
  const before = page.log.length;
  page.chat.typing();
  page.chat.close();
  page.fire('online');
  page.fire('offline');
  page.person('signed-in');
  page.show(false);
  await page.advance(86_400_000);
  assert.equal(late.code, 'session_over');
  assert.deepEqual(page.log.slice(before).map(({ type }) => type), ['failed']);
  assert.deepEqual([page.timers.pending(), page.server.sockets.length, page.server.living().length], [0, 1, 0]);
});

test('a frame that comes behind the end of its session waits for that end', async () => {
  for (const code of ['session_expired', 'session_over']) {
    const page = await openedChat();
    page.server.refusals.push({ code });
    const fate = fateOf(page.chat.send('late'));
    await page.advance(100);
    assert.equal(fate.is, 'pending');
    page.server.last().endSession('expired');
    await page.advance(1_000);
    assert.equal(fate.code, 'session_over');
    assert.deepEqual(page.heardBy('ended').map(({ reason }) => reason), ['expired']);
    assert.equal(page.server.sockets.length, 1);
  }
});

test('end comes behind what was said, is signed, and resolves when it is over', async () => {
  const page = await openedChat();
  const sent = fateOf(page.chat.send('goodbye'));
  page.chat.typing();
  const fate = fateOf(page.chat.end());
  page.chat.end();
  await page.advance(1_000);
  assert.equal(fate.is, 'resolved');
  assert.deepEqual(page.server.texts(), ['goodbye']);
  assert.equal(page.server.last().frames.filter(({ type }) => type === 'end').length, 1);
  assert.deepEqual(page.heardBy('ended').map(({ reason }) => reason), ['ended']);
  assert.equal(sent.is, 'resolved');
});

test('end reaches the server after a cut too, and is not doubted if its answer was lost', async () => {
  const page = await openedChat();
  page.server.modes.reachable = false;
  page.server.last().cut();
  const fate = fateOf(page.chat.end());
  await page.advance(20_000);
  assert.equal(fate.is, 'pending');
  page.server.modes.reachable = true;
  await page.advance(30_000);
  assert.equal(fate.is, 'resolved');
  assert.ok([...page.server.sessions.values()][0].over);

  const other = await openedChat();
  const told = fateOf(other.chat.end());
  await other.advance(30);
  other.server.last().cut();
  await other.advance(5_000);
  assert.equal(told.is, 'resolved');
  assert.deepEqual(other.heardBy('ended').map(({ reason }) => reason), ['ended']);
});

test('a chat that was never open ends at once', async () => {
  const world = createWorld();
  world.server.modes.reachable = false;
  const page = openChat(world);
  const fate = fateOf(page.chat.end());
  await page.advance(0);
  assert.equal(fate.is, 'resolved');
  assert.equal(page.timers.pending(), 0);
});

test('close leaves without ending: the session can be come back to', async () => {
  const page = await openedChat({ resume: true });
  page.server.modes.echoes = false;
  const fate = fateOf(page.chat.send('hello'));
  await page.advance(100);
  page.chat.close();
  await page.advance(1_000);
  assert.deepEqual([fate.code, page.chat.state, page.heardBy('ended')[0].reason], ['session_over', 'ended', 'left']);
  assert.equal(page.server.last().session.over, undefined);
  assert.equal(page.timers.pending(), 0);
  const again = await openedChat({ resume: true }, page);
  assert.equal(again.chat.guestId, page.chat.guestId);
});

test('a sign-in steps the same conversation up at once, without losing a line', async () => {
  const page = await openedChat();
  const { guestId } = page.chat;
  page.server.modes.echoes = false;
  const fate = fateOf(page.chat.send('as a guest'));
  await page.advance(100);
  page.server.modes.echoes = true;
  page.bff.signIn();
  page.person('signed-in');
  await page.advance(500);
  assert.deepEqual([page.chat.state, page.chat.guestId, fate.is], ['open', guestId, 'resolved']);
  assert.deepEqual(page.types('authenticated'), ['authenticated']);
  page.person('authenticated');
  await page.advance(500);
  assert.equal(page.server.sockets.length, 2);
});

test('who was signed in already costs no second connection, known or not yet known', async () => {
  for (const state of ['signed-in', 'authenticated', 'loading', 'unavailable']) {
    const page = await openedChat({}, createWorld({ signedIn: true }), { state });
    page.person('signed-in');
    page.person('authenticated');
    await page.advance(5_000);
    assert.equal(page.server.sockets.length, 1, state);
  }
});

test('a sign-in after a sign-out, or after a failed one, is noticed', async () => {
  for (const state of ['signed-out', 'sign-in-failed', 'signing-in']) {
    const page = await openedChat({}, createWorld(), { state: 'loading' });
    page.person(state);
    page.person('unavailable');
    page.bff.signIn();
    page.person('authenticated');
    await page.advance(500);
    assert.deepEqual(page.types('authenticated'), ['authenticated'], state);
  }
});

test('a step-up that failed for the moment is tried again with another connection', async () => {
  const page = await openedChat();
  page.server.last().refuse('step_up_failed', { retryAfter: 5 });
  await page.advance(4_900);
  assert.equal(page.server.sockets.length, 1);
  await page.advance(2_000);
  assert.equal(page.server.sockets.length, 2);
  assert.equal(page.chat.state, 'open');
});

test('without the plugin a chat works all the same', async () => {
  const world = createWorld();
  const page = openChat(world);
  delete page.window.MessengerAuth;
  page.server.last().cut();
  await page.advance(5_000);
  assert.equal(page.chat.state, 'open');
});

test('what a later version of the server says is passed over', async () => {
  const page = await openedChat();
  page.server.last().tell({ type: 'something_new' });
  page.server.last().tell({ type: 'constructor' });
  await page.advance(100);
  assert.deepEqual([page.chat.state, page.reported], ['open', undefined]);
});

// How a guest chat is connected: opened, lost, and connected again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { readFileSync } from 'node:fs';
import { createWorld, fateOf, openChat, openedChat, rooms, source } from './guest_rig.mjs';

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

test('the manual names every member, event, state, option and code', () => {
  const manual = readFileSync(new URL('../../docs/guest-chat.md', import.meta.url), 'utf8');
  const events = [...source.matchAll(/tell\('([a-z]+)'/g)].map(([, name]) => name);
  const codes = [...source.matchAll(/^ {2}([a-z_]+): '[A-Z]/gm)].map(([, code]) => code);
  const ends = [...source.matchAll(/finish\((?:reason \|\| )?'([a-z]+)'/g)].map(([, reason]) => reason);
  assert.ok(events.length > 8 && codes.length === 6 && ends.length > 4);
  const members = ['send(text)', 'typing()', 'end()', 'close()', 'guestId', 'sessionId', 'expiresAt', 'deviceId', 'profile', 'resume: true'];
  const states = ['connecting', 'open', 'paused', 'ended', 'message', 'typing', 'presence', 'connection', 'service'];
  for (const word of [...events, ...codes, ...ends, ...members, ...states]) {
    assert.ok(manual.includes('`' + word) || /^(ended|expired)$/.test(word), word);
  }
});

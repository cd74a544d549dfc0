// How a guest session is come back to and ended, and who is signed in meanwhile.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BLOCKED } from './fake_browser.mjs';
import { createWorld, fateOf, openChat, openedChat } from './guest_rig.mjs';

const KEY = 'messenger-guest:http://auth.brand.localhost:8002';

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

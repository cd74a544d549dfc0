// What becomes of what was said, and what is heard: once each, in order, on bad days too.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createWorld, fateOf, openChat, openedChat } from './guest_rig.mjs';

const framesOf = (socket) => socket.frames.slice(1);
const wordsOf = (frames) => frames.map(({ payload }) => JSON.parse(payload).text);

test('send tells its id at once, and the promise and the events tell the rest', async () => {
  const page = await openedChat();
  const sent = page.chat.send('hello');
  const fate = fateOf(sent);
  assert.match(sent.id, /^[0-9a-f-]{36}$/);
  await page.advance(1_000);
  assert.deepEqual(page.heardBy('accepted', 'delivered').map(({ type, id }) => [type, id]), [['accepted', sent.id], ['delivered', sent.id]]);
  assert.equal(fate.value.id, sent.id);
  assert.equal(fate.value.body.text, 'hello');
  assert.equal(page.server.heard[0].metadata.id, sent.id);
  assert.deepEqual(page.types('message'), [], 'its echo is no news');
});

test('a message object keeps its fields and the name that it has', async () => {
  const page = await openedChat();
  const channel = { metadata: { customAttributes: { A: 'B' } } };
  const sent = page.chat.send({ type: 'Text', text: 'hi', channel, metadata: { id: 'mine', other: 'x' } });
  await page.advance(1_000);
  assert.equal(sent.id, 'mine');
  assert.deepEqual(page.server.heard[0], { type: 'Text', text: 'hi', channel, metadata: { id: 'mine', other: 'x' } });
});

test('an event is done when it was accepted, for nobody echoes it', async () => {
  const page = await openedChat();
  const join = { type: 'Event', events: [{ eventType: 'Presence', presence: { type: 'Join' } }] };
  const fate = fateOf(page.chat.send(join));
  await page.advance(1_000);
  assert.equal(fate.is, 'resolved');
  assert.deepEqual(page.server.heard, [join]);
  page.server.last().cut();
  await page.advance(5_000);
  assert.equal(page.server.heard.length, 1);
});

test('the sixty-fifth message without an echo is refused, and room comes back with the echoes', async () => {
  const page = await openedChat();
  page.server.modes.echoes = false;
  for (let n = 0; n < 64; n++) page.chat.send(`${n}`);
  const fate = fateOf(page.chat.send('one too many'));
  await page.advance(1_000);
  assert.equal(fate.code, 'too_many_in_flight');
  assert.equal(page.heardBy('failed')[0].code, 'too_many_in_flight');
  assert.match(page.heardBy('failed')[0].message, /\w{5}/);
  page.server.modes.echoes = true;
  page.server.last().cut();
  await page.advance(5_000);
  const after = fateOf(page.chat.send('now'));
  await page.advance(1_000);
  assert.equal(after.is, 'resolved');
  assert.equal(page.server.heard.length, 65);
});

test('what no frame can hold fails by itself and stops nothing', async () => {
  const page = await openedChat();
  const fate = fateOf(page.chat.send('"'.repeat(20_000)));
  const next = fateOf(page.chat.send('short'));
  await page.advance(1_000);
  assert.equal(fate.code, 'frame_too_large');
  assert.equal(next.is, 'resolved');
  assert.deepEqual(framesOf(page.server.last()).map(({ seq }) => seq), [1]);
});

test('told to wait, it sends the very same frame after that time, and what was behind it, in order', async () => {
  const page = await openedChat();
  page.server.refusals.push({ code: 'rate_limited', retryAfter: 2.5 });
  const fates = ['one', 'two', 'three'].map((text) => fateOf(page.chat.send(text)));
  await page.advance(2_400);
  assert.equal(framesOf(page.server.last()).length, 3);
  const later = fateOf(page.chat.send('four'));
  await page.advance(2_000);
  const frames = framesOf(page.server.last());
  assert.deepEqual(wordsOf(frames), ['one', 'two', 'three', 'one', 'two', 'three', 'four']);
  assert.equal(frames[3].text, frames[0].text);
  assert.ok(frames[3].at - frames[0].at >= 2_500);
  assert.deepEqual(page.server.texts(), ['one', 'two', 'three', 'four']);
  assert.ok([...fates, later].every(({ is }) => is === 'resolved'));
  assert.equal(page.server.sockets.length, 1);
  assert.deepEqual(page.types('failed', 'error'), []);
});

test('a wait of no time at all waits for the answers to what was sent behind', async () => {
  const page = await openedChat();
  page.server.refusals.push({ code: 'service_unavailable', retryAfter: 0 }, { code: 'service_unavailable', retryAfter: 0 });
  for (const text of ['one', 'two', 'three', 'four']) {
    page.chat.send(text);
    await page.advance(10);
  }
  await page.advance(3_000);
  assert.deepEqual(page.server.texts(), ['one', 'two', 'three', 'four']);
  assert.equal(page.server.sockets.length, 1);
});

test('what is wrong for ever fails alone, with its code', async () => {
  for (const code of ['message_malformed', 'text_too_long', 'attributes_too_large']) {
    const page = await openedChat();
    page.server.refusals.push({ code });
    const [first, second] = ['one', 'two'].map((text) => fateOf(page.chat.send(text)));
    await page.advance(2_000);
    assert.equal(first.code, code);
    assert.equal(first.error.message, `Sentence of ${code}.`);
    assert.equal(second.is, 'resolved', code);
    assert.equal(page.server.sockets.length, 1);
    assert.equal(page.heardBy('failed').length, 1);
  }
});

test('what was accepted and then refused has failed, and is not said again', async () => {
  const page = await openedChat();
  page.server.modes.echoes = false;
  const fate = fateOf(page.chat.send('hello'));
  const next = fateOf(page.chat.send('there'));
  await page.advance(500);
  page.server.last().refuse('message_refused', { seq: 1 });
  await page.advance(500);
  assert.deepEqual([fate.code, next.is], ['message_refused', 'pending']);
  page.server.modes.echoes = true;
  page.server.last().cut();
  await page.advance(5_000);
  assert.deepEqual(page.server.texts(), ['there']);
});

test('what was accepted and is wanted again later goes with a number of its own', async () => {
  const page = await openedChat();
  page.server.modes.echoes = false;
  const fate = fateOf(page.chat.send('one'));
  await page.advance(500);
  page.server.modes.echoes = true;
  page.server.last().refuse('service_unavailable', { seq: 1, retryAfter: 1 });
  await page.advance(2_000);
  assert.equal(fate.is, 'resolved');
  assert.deepEqual(framesOf(page.server.last()).map(({ seq }) => seq), [1, 2]);
});

test('a refusal that leaves the count unclear costs that message, and at most a connection', async () => {
  for (const planned of [{ code: 'signature_wrong' }, { code: 'frame_fields_wrong', seq: undefined }]) {
    const page = await openedChat();
    page.server.refusals.push(planned);
    const fates = ['one', 'two', 'three'].map((text) => fateOf(page.chat.send(text)));
    await page.advance(3_000);
    assert.deepEqual(fates.map(({ is }) => is), ['rejected', 'resolved', 'resolved']);
    assert.deepEqual(page.server.texts(), ['two', 'three']);
    assert.equal(page.server.sockets.length, 2);
  }
});

test('a gap that nobody explains costs a connection and no message', async () => {
  const page = await openedChat();
  page.server.last().last = 7;
  const fates = ['one', 'two'].map((text) => fateOf(page.chat.send(text)));
  await page.advance(3_000);
  assert.ok(fates.every(({ is }) => is === 'resolved'));
  assert.deepEqual(page.server.texts(), ['one', 'two']);
  assert.equal(page.server.sockets.length, 2);
});

test('what was accepted and not delivered when the connection broke is said again under its id, and heard once', async () => {
  const page = await openedChat();
  const first = page.server.last();
  page.server.modes.echoes = false;
  const sent = page.chat.send('before the cut');
  const fate = fateOf(sent);
  await page.advance(500);
  first.hear(JSON.parse(first.frames[1].payload), 99); // Genesys has it, and the page does not know
  page.server.modes.echoes = true;
  first.cut();
  const waiting = fateOf(page.chat.send('during the cut'));
  await page.advance(5_000);
  const ids = framesOf(page.server.last()).map(({ payload }) => JSON.parse(payload).metadata.id);
  assert.equal(ids[0], sent.id);
  assert.deepEqual([fate.is, waiting.is], ['resolved', 'resolved']);
  assert.deepEqual(page.server.texts(), ['before the cut', 'during the cut']);
  assert.equal(page.heardBy('delivered').filter(({ id }) => id === sent.id).length, 1);
  assert.deepEqual(page.types('message', 'failed'), []);
});

test('the history may tell of a delivery before the echo does', async () => {
  const page = await openedChat();
  page.server.modes.echoes = false;
  const sent = page.chat.send('hello');
  await page.advance(500);
  const body = { type: 'Text', text: 'hello', direction: 'Inbound', id: 'id-9', metadata: { customMessageId: sent.id } };
  page.server.last().tell({ type: 'event', body });
  page.server.last().tell({ type: 'event', body });
  page.server.last().tell({ type: 'message_delivered', seq: 1, body });
  await page.advance(500);
  assert.deepEqual(page.types('delivered', 'message'), ['delivered']);
  page.server.last().cut();
  await page.advance(5_000);
  assert.equal(page.server.last().frames.length, 1, 'nothing is said again');
});

test('a connection on which nothing is answered for 15 seconds is given up, and nothing is lost', async () => {
  const page = await openedChat();
  page.server.modes.accepts = false;
  const fate = fateOf(page.chat.send('anybody?'));
  await page.advance(14_000);
  page.chat.send('hello?');
  await page.advance(980);
  assert.equal(page.server.sockets.length, 1);
  page.server.modes.accepts = true;
  await page.advance(3_000);
  assert.equal(page.server.sockets.length, 2);
  assert.equal(fate.is, 'resolved');
  assert.deepEqual(page.server.texts(), ['anybody?', 'hello?']);
});

test('an open connection on which nothing is owed is left alone', async () => {
  const page = await openedChat();
  await Promise.all([page.chat.send('hello'), page.advance(1_000)]);
  await page.advance(3_600_000);
  assert.equal(page.server.sockets.length, 1);
  assert.equal(page.timers.pending(), 0);
});

test('typing is told once in five seconds, and only while somebody listens', async () => {
  const page = await openedChat();
  page.chat.typing();
  await page.advance(5_000);
  page.chat.typing();
  await page.advance(500);
  page.chat.typing();
  await page.advance(500);
  assert.equal(page.server.heard.length, 2);
  assert.deepEqual(page.server.heard[0], { type: 'Event', events: [{ eventType: 'Typing', typing: { type: 'On' } }] });
  assert.deepEqual(page.types('accepted', 'delivered'), []);
  page.server.modes.reachable = false;
  page.server.last().cut();
  await page.advance(6_000);
  page.chat.typing();
  page.server.modes.reachable = true;
  await page.advance(60_000);
  assert.equal(page.server.heard.length, 2);
});

test('typing that was refused or cut off is old news, and holds nothing up', async () => {
  const page = await openedChat();
  page.server.refusals.push({ code: 'rate_limited', retryAfter: 5 });
  page.chat.typing();
  const fate = fateOf(page.chat.send('hello'));
  await page.advance(500);
  assert.equal(fate.is, 'resolved');
  assert.deepEqual(page.server.texts(), ['hello']);
  assert.deepEqual(page.types('failed', 'error'), []);

  await page.advance(6_000);
  page.server.modes.accepts = false;
  page.chat.typing();
  await page.advance(100);
  page.server.modes.accepts = true;
  page.server.last().cut();
  await page.advance(5_000);
  assert.equal(page.server.last().frames.length, 1);
});

test('what Genesys says is told once, also when the history says it again', async () => {
  const page = await openedChat();
  const body = page.server.push('How can I help?');
  await page.advance(500);
  page.server.last().cut();
  await page.advance(5_000);
  page.server.push('Still there?');
  await page.advance(500);
  assert.deepEqual(page.heardBy('message').map(({ detail }) => detail.text), ['How can I help?', 'Still there?']);
  assert.deepEqual(page.heardBy('message')[0].detail, body);
});

test('of two names of a message either is enough to know it again', async () => {
  const page = await openedChat();
  page.server.push('Hello', { id: 'a', channel: { messageId: 'b' } });
  page.server.push('Hello', { id: 'c', channel: { messageId: 'b' } });
  page.server.push('Hello', { id: 'a', channel: undefined });
  page.server.push('Hello', { id: 'd', channel: undefined });
  await page.advance(500);
  assert.equal(page.types('message').length, 2);
});

test('the dots and the presence of the other side are told as such', async () => {
  const page = await openedChat();
  page.server.push(undefined, { type: 'Event', events: [{ eventType: 'Typing', typing: { type: 'On', duration: 5000 } }] });
  page.server.push(undefined, { type: 'Event', events: [{ eventType: 'Presence', presence: { type: 'Disconnect' } }] });
  await page.advance(500);
  assert.deepEqual(page.types().slice(1), ['typing', 'presence']);
  assert.equal(page.heardBy('typing')[0].detail.events[0].typing.duration, 5000);
});

test('two tabs on one session show what either of them said, once', async () => {
  const world = createWorld();
  const first = await openedChat({}, world);
  const second = await openedChat({ resume: first.chat.sessionId }, world);
  assert.equal(second.chat.guestId, first.chat.guestId);
  const sent = first.chat.send('from the first');
  await world.clock.advance(500);
  assert.deepEqual(second.heardBy('message').map(({ detail }) => [detail.direction, detail.text]), [['Inbound', 'from the first']]);
  assert.deepEqual(first.types('message', 'delivered'), ['delivered']);
  world.server.sockets[1].cut();
  await world.clock.advance(5_000);
  assert.equal(second.types('message').length, 1);
  assert.ok(sent.id);
});

test('a session of its own hears nothing of another one', async () => {
  const world = createWorld();
  const first = await openedChat({}, world);
  const second = await openedChat({}, world);
  assert.notEqual(second.chat.guestId, first.chat.guestId);
  first.chat.send('private');
  await world.clock.advance(500);
  assert.deepEqual(second.types('message'), []);
});

test('an error that names no message is told', async () => {
  const page = await openedChat();
  page.server.last().refuse('step_up_failed');
  await page.advance(500);
  assert.deepEqual(page.heardBy('error').map(({ code, message }) => [code, message]), [['step_up_failed', 'Sentence of step_up_failed.']]);
  assert.equal(page.chat.state, 'open');
  assert.equal(page.server.sockets.length, 1);
});

test('a page that hears only events is not told of promises that nobody holds', async () => {
  const unhandled = [];
  const note = (error) => void unhandled.push(error);
  process.on('unhandledRejection', note);
  const page = await openedChat();
  page.server.refusals.push({ code: 'text_too_long' });
  page.chat.send('hello');
  await page.advance(1_000);
  process.off('unhandledRejection', note);
  assert.equal(page.types('failed').length, 1);
  assert.deepEqual(unhandled, []);
});

test('a page says things before it is connected', async () => {
  const page = openChat(createWorld());
  const fate = fateOf(page.chat.send('early'));
  assert.equal(page.chat.state, 'connecting');
  await page.advance(1_000);
  assert.equal(fate.is, 'resolved');
});

// What a frame of the guest chat is made of: keys, signatures, numbers, order.
import assert from 'node:assert/strict';
import test from 'node:test';
import { readFileSync } from 'node:fs';
import { createWorld, fateOf, openChat, openedChat, rooms, source } from './guest_rig.mjs';

const vectors = JSON.parse(readFileSync(new URL('../vectors/frame_vectors.json', import.meta.url)));
const { subtle } = crypto;
const signer = rooms.createSigner(subtle);
const created = {
  publicKey: vectors.server.publicKey,
  salt: vectors.salt,
  encryptedSessionId: vectors.sessionId,
  connection: vectors.connection,
};

test('the known private key leads to the known signatures, whatever the number or the text', async () => {
  const { privateKey: d, x, y } = vectors.page;
  const own = await subtle.importKey('jwk', { kty: 'EC', crv: 'P-256', d, x, y }, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveKey']);
  const key = await signer.key(own, created);
  assert.ok(vectors.frames.length > 4);
  for (const { purpose, seq, payload, signature } of vectors.frames) {
    assert.equal(await signer.sign(key, created, purpose, seq, payload), signature, `${seq}`);
  }
});

test('no key can be exported, neither the private half nor the one that signs', async () => {
  const page = await openedChat();
  page.chat.send('hello');
  await page.advance(1_000);
  const keys = page.made.keys.flatMap((made) => (made?.privateKey ? [made.privateKey] : [made])).filter((made) => made instanceof CryptoKey && made.type !== 'public');
  assert.ok(keys.length >= 3, 'private, shared, signing');
  for (const key of keys) assert.equal(key.extractable, false);
  const signing = keys.find(({ algorithm }) => algorithm.name === 'HMAC');
  assert.deepEqual(signing.usages, ['sign']);
  await assert.rejects(subtle.exportKey('raw', signing), { name: /^InvalidAccess/ });
});

test('init says who opens, with a fresh key for each connection', async () => {
  const page = await openedChat({ deviceId: 'kiosk-7', profile: { city: 'Leeds' } });
  page.server.last().cut();
  await page.advance(5_000);
  const [first, second] = page.server.sockets.map(({ frames }) => frames[0]);
  assert.deepEqual({ ...first.payload, publicKey: '' }, { publicKey: '', deviceId: 'kiosk-7', profile: { city: 'Leeds' } });
  assert.equal(second.payload.deviceId, 'kiosk-7');
  assert.equal(first.payload.publicKey.length, 87);
  assert.notEqual(first.payload.publicKey, second.payload.publicKey);
});

test('the socket is on the server of the script, and secure where that is', async () => {
  const page = openChat(createWorld());
  assert.equal(page.server.last().url, 'ws://auth.brand.localhost:8002/ws/guest');
  page.window.MessengerGuest.open('https://auth.brand.example/chat');
  assert.equal(page.server.last().url, 'wss://auth.brand.example/chat/ws/guest');
});

test('many messages at once are signed, numbered from one and heard in the order in which they were said', async () => {
  const page = openChat(createWorld());
  const texts = Array.from({ length: 64 }, (_, n) => `number ${n} ☃ "quoted"`);
  const say = (text) => fateOf(page.chat.send(text));
  const early = texts.slice(0, 32).map(say);
  await page.advance(1_000);
  const fates = [...early, ...texts.slice(32).map(say)];
  await page.advance(5_000);
  assert.deepEqual(page.server.texts(), texts);
  const frames = page.server.last().frames.slice(1);
  assert.deepEqual(frames.map(({ seq }) => seq), texts.map((_, n) => n + 1));
  assert.ok(fates.every(({ is }) => is === 'resolved'));
  const signatures = page.made.keys.filter((made) => made instanceof ArrayBuffer && made.byteLength === 32);
  assert.equal(signatures.length, 64, 'each is signed once');
  assert.deepEqual(page.types('error', 'failed'), []);
});

test('a frame has the fields of the table and no others', async () => {
  const page = await openedChat();
  page.chat.send('hello');
  await page.advance(100);
  const { text } = page.server.last().frames[1];
  assert.deepEqual(Object.keys(JSON.parse(text)), ['type', 'sessionId', 'seq', 'payload', 'signature']);
});

test('a new connection counts from one again, under its own key', async () => {
  const page = await openedChat();
  await Promise.all([page.chat.send('one'), page.chat.send('two'), page.advance(1_000)]);
  page.server.last().cut();
  await page.advance(5_000);
  await Promise.all([page.chat.send('three'), page.advance(1_000)]);
  assert.deepEqual(page.server.last().frames.slice(1).map(({ seq }) => seq), [1]);
  assert.deepEqual(page.server.texts(), ['one', 'two', 'three']);
});

test('a session that was renewed is signed for under its first id, and come back to with the last', async () => {
  const page = await openedChat();
  const first = page.chat.sessionId;
  const id = page.server.seal(page.server.last().session);
  page.server.last().tell({ type: 'session_renewed', encryptedSessionId: id, expiresAt: 'later' });
  await page.advance(100);
  assert.deepEqual([page.chat.sessionId, page.chat.expiresAt], [id, 'later']);
  await Promise.all([page.chat.send('still here'), page.advance(1_000)]);
  assert.equal(page.server.last().frames[1].sessionId, first);
  page.server.last().cut();
  await page.advance(5_000);
  assert.equal(page.server.last().frames[0].payload.encryptedSessionId, id);
});

test('the source needs no eval, no HTML sink and no inline style, and stores nothing but an id', () => {
  for (const sink of ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval(', 'new Function', 'style', 'localStorage', 'console']) {
    assert.ok(!source.includes(sink), sink);
  }
});

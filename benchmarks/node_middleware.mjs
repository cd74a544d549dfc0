// The peer: a guest-session middleware on Node.js, our own writing, with the meaning of the
// published one (docs/performance.md says which). One process, `ws` and `ioredis`.
//
//   node node_middleware.mjs --redis redis://127.0.0.1:6379/0 [--pipelined | --cached]
//                            [--upstream ws://… [--ca file]]
//
// For each frame: JSON.parse, HMAC-SHA256 over token + session id, AES-256-GCM open of the session
// id, one Redis GET, compare, answer. With `--cached` what the session id opens to is kept in the
// process, so the GET and the AES are paid once for each session. With `--pipelined` the GETs of one
// turn of the loop travel together, which ioredis does when asked. With `--upstream` the frame goes
// on as `onMessage` on a socket of its own for each page, and what comes back is handed to the page.
//
// Mended, because the published one would not work at all: its comparison was inverted (valid
// frames were refused), and it threw on a signature of another length. Everything else that it does
// not check (the body, its order, replays, limits) this one does not check either.
//
// Written to be fast where an honest author would be: permessage-deflate off, `bufferutil` for the
// masking, what is forwarded is neither parsed nor copied.

import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Redis from 'ioredis';
import { WebSocket, WebSocketServer } from 'ws';

const { values: options } = parseArgs({
  options: {
    redis: { type: 'string' },
    port: { type: 'string', default: '0' },
    cached: { type: 'boolean', default: false },
    pipelined: { type: 'boolean', default: false },
    upstream: { type: 'string' },
    ca: { type: 'string' },
  },
});

const SECRET = process.env.PEER_HMAC_SECRET;
if (!SECRET) throw new Error('PEER_HMAC_SECRET is missing');
const SESSION_SECONDS = 3600;
const KEY = randomBytes(32);
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const DEPLOYMENT = '7c4e1f0a-52d8-4d53-9a57-0d3f6f1b2c88';

const redis = new Redis(options.redis, { enableAutoPipelining: options.pipelined });
const ca = options.ca && readFileSync(options.ca);
/** Sealed session id → what a GET would give, and until when. */
const known = new Map();

function seal(text) {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', KEY, nonce);
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64');
}

function open(sealed) {
  const raw = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', KEY, raw.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(raw.subarray(raw.length - TAG_BYTES));
  const body = decipher.update(raw.subarray(NONCE_BYTES, raw.length - TAG_BYTES));
  return Buffer.concat([body, decipher.final()]).toString('utf8');
}

function signatureIsRight(frame) {
  const expected = createHmac('sha256', SECRET).update(frame.token + frame.sessionId).digest();
  const given = Buffer.from(frame.signature, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Return the token that the session id is bound to, or null. */
async function boundToken(sessionId) {
  const kept = options.cached ? known.get(sessionId) : undefined;
  if (kept !== undefined && Date.now() < kept.until) return kept.token;
  const token = await redis.get(`session:${open(sessionId)}`);
  if (options.cached && token !== null) known.set(sessionId, { token, until: Date.now() + SESSION_SECONDS * 1000 });
  return token;
}

function dialled(token) {
  const socket = new WebSocket(`${options.upstream}/v1?deploymentId=${DEPLOYMENT}&application=peer`, {
    perMessageDeflate: false,
    ca,
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      socket.send(JSON.stringify({ action: 'configureSession', deploymentId: DEPLOYMENT, startNew: false, token, tracingId: randomUUID() }));
      socket.once('message', () => resolve(socket));
    });
  });
}

async function begin(page) {
  const token = randomUUID();
  const id = randomUUID();
  await redis.set(`session:${id}`, token, 'EX', SESSION_SECONDS);
  if (options.upstream) {
    page.upstream = await dialled(token);
    page.upstream.on('message', (text) => page.send(text, { binary: false }));
    page.upstream.on('close', () => page.close(1013));
    page.upstream.on('error', () => page.close(1013));
    page.on('close', () => page.upstream.close());
  }
  page.send(JSON.stringify({ type: 'session_created', token, sessionId: seal(id) }));
}

async function message(page, frame) {
  if (!signatureIsRight(frame)) throw new Error('signature');
  if ((await boundToken(frame.sessionId)) !== frame.token) throw new Error('token');
  if (page.upstream) {
    page.upstream.send(JSON.stringify({ action: 'onMessage', token: frame.token, tracingId: frame.payload.id, message: frame.payload }));
  }
  page.send(JSON.stringify({ type: 'message_accepted', payload: { id: frame.payload.id } }));
}

async function receive(page, raw) {
  try {
    const frame = JSON.parse(raw);
    if (frame.type === 'message') await message(page, frame);
    else if (frame.type === 'init') await begin(page);
    else throw new Error('type');
  } catch {
    page.send(JSON.stringify({ type: 'error', code: 'frame_refused' }));
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(options.port), perMessageDeflate: false, backlog: 4096 });
server.on('connection', (page) => {
  page.on('message', (raw) => receive(page, raw));
  page.on('error', () => page.terminate());
});
server.on('listening', () => console.log(`listening on ${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));

// @ts-check
/*!
 * A chat of a page's own on the guest socket: see docs/guest-chat.md.
 * messenger-auth.js loads it when it is asked for. Only the last room touches globals.
 */
(() => {
'use strict';

const SECOND = 1_000;
const MOST_LINES = 64;
const LARGEST_PAYLOAD = 64_000; // a frame has 65,536 bytes, its head some hundred
const PATIENCE = 15 * SECOND;
const STEADY = 10 * SECOND;
const LONGEST_WAIT = 30 * SECOND;
const TYPING_SPAN = 5_100;
const MOST_SEEN = 2_000;
const TELL_AT = 3;

// Words: what a person may read.

/** @type {{[code: string]: string}} */
const SENTENCES = {
  frame_too_large: 'This is too large to be sent.',
  refused: 'The chat was refused.',
  session_over: 'The chat has ended.',
  too_many_in_flight: 'Earlier messages are still on their way. Please wait.',
  unreachable: 'The chat cannot be reached. It is tried again.',
  unsupported: 'This browser or this address cannot open a chat.',
};
/** The end of the session is told right behind these. */
const OVER = ['session_expired', 'session_over'];
/** The session lives on: another page may come back to it. */
const ALIVE = ['left', 'displaced'];

const sentence = (code = '') => ({ code, message: SENTENCES[code] });

// Frame key: docs/guest-socket.md, byte by byte. Nothing here can be exported, not even by us.

const POINT = { name: 'ECDH', namedCurve: 'P-256' };
const LABEL = 'messenger-frame/1';

const utf8 = (text = '') => new TextEncoder().encode(text);
const bytesOf = (text = '') => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const textOf = (/** @type {ArrayBuffer} */ buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

/** Big-endian. */
function numbered(value = 0, size = 4) {
  const out = new Uint8Array(size);
  for (let i = size; i--; value = Math.floor(value / 256)) out[i] = value % 256;
  return out;
}

/** Each part behind its length. @param {(string | Uint8Array)[]} parts */
function framed(...parts) {
  /** @type {number[]} */ const out = [];
  for (const part of parts) {
    const bytes = typeof part === 'string' ? utf8(part) : part;
    out.push(...numbered(bytes.length));
    for (const byte of bytes) out.push(byte);
  }
  return Uint8Array.from(out);
}

/** @param {SubtleCrypto} subtle @returns {Signer} */
const createSigner = (subtle) => ({
  async pair() {
    const { privateKey, publicKey } = await subtle.generateKey(POINT, false, ['deriveKey']);
    return { privateKey, publicKey: textOf(await subtle.exportKey('raw', publicKey)) };
  },
  async key(privateKey, { publicKey, salt, encryptedSessionId, connection }) {
    const theirs = await subtle.importKey('raw', bytesOf(publicKey), POINT, false, []);
    const shared = await subtle.deriveKey({ name: 'ECDH', public: theirs }, privateKey, 'HKDF', false, ['deriveKey']);
    const info = framed(LABEL, 'c2s', encryptedSessionId, connection);
    return subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt: bytesOf(salt), info },
      shared,
      { name: 'HMAC', hash: 'SHA-256', length: 256 },
      false,
      ['sign'],
    );
  },
  sign: async (key, { encryptedSessionId, connection }, type, seq, payload) =>
    textOf(await subtle.sign('HMAC', key, framed(LABEL, type, encryptedSessionId, connection, numbered(seq, 8), payload))),
});

// Chat: one conversation over as many connections as it takes.

/** One timer: each call clears the last. @param {GuestEnvironment} env */
function createAlarm(env) {
  /** @type {any} */ let timer;
  return (/** @type {any} */ then = null, delay = 0) => {
    env.clearTimeout(timer);
    timer = then && env.setTimeout(then, delay);
  };
}

/** Full jitter. */
const backoff = (n = 0, random = Math.random) => 100 + random() * Math.min(LONGEST_WAIT, 500 * 2 ** n);

/** What its sender called a message; what is not ours has no such name. @param {any} body */
const markOf = ({ direction, metadata }) => direction === 'Inbound' && (metadata?.customMessageId || metadata?.id);

/** @param {GuestEnvironment} env @param {GuestOptions} options @returns {GuestChat} */
function createChat(env, { deviceId, profile, resume } = {}) {
  const target = new EventTarget();
  /** Said and not yet delivered, in order. @type {Line[]} */ let lines = [];
  /** @type {Link | null} */ let link = null;
  /** @type {string | null} */ let sessionId = resume === true ? env.saved() : resume || null;
  /** @type {boolean | undefined} */ let signedIn;
  let state = 'connecting';
  let guest = { guestId: '', profile: {} };
  let expiresAt = '';
  let wasOpen = false;
  let attempts = 0;
  let typedAt = -Infinity;
  /** @type {Set<string>} */ const seen = new Set();
  /** @type {() => void} */ let over;
  /** @type {Promise<void>} */ const ended = new Promise((resolve) => (over = resolve));

  const redial = createAlarm(env);
  const watch = createAlarm(env);
  const hold = createAlarm(env);

  const tell = (name = '', detail = {}) => void target.dispatchEvent(new env.CustomEvent(name, { detail }));

  /** Says so if the state has become another one. */
  function look() {
    const before = state;
    const ready = link?.key;
    state = ready && !link?.paused ? 'open' : wasOpen ? 'paused' : 'connecting';
    if (state === before) return;
    tell('state', { state });
    if (state === 'paused') tell('paused', { reason: ready ? 'service' : 'connection' });
    else if (before === 'paused') tell('resumed');
  }

  // Connections: numbers and keys are each one's own.

  function dial() {
    drop();
    /** @type {Link} */
    const mine = { socket: null, pair: env.signer.pair(), created: null, key: null, seq: 1, awaiting: [], held: false, pumping: false, paused: false, openedAt: NaN };
    link = mine;
    signedIn = env.signedIn();
    watch(lost, PATIENCE);
    mine.pair.catch(() => mine === link && finish('unsupported', sentence('unsupported')));
    try {
      mine.socket = env.connect();
    } catch {
      return lost();
    }
    mine.socket.onopen = () => introduce(mine);
    mine.socket.onmessage = (/** @type {any} */ { data }) => mine === link && heard(JSON.parse(data), mine);
    mine.socket.onclose = (/** @type {any} */ e) => mine === link && closed(e);
  }

  /** @param {Link} mine */
  const introduce = (mine) =>
    mine.pair.then(({ publicKey }) => {
      const payload = { publicKey, deviceId, profile, encryptedSessionId: sessionId || undefined };
      if (mine === link) mine.socket.send(JSON.stringify({ type: 'init', payload }));
    }, () => {});

  /** Whatever was not delivered is said again on the next one, under the same id. */
  function drop() {
    const old = link;
    link = null;
    redial();
    watch();
    hold();
    lines = lines.filter((line) => !line.fleeting);
    for (const line of lines) line.seq = 0;
    old?.socket?.close();
  }

  function lost(wait = 0, atOnce = false) {
    // What lasted was no failure.
    if (env.now() - (link?.openedAt || Infinity) > STEADY) attempts = 0;
    const delay = atOnce && !attempts ? 0 : backoff(attempts, env.random);
    drop();
    if (++attempts === TELL_AT) tell('error', sentence('unreachable'));
    redial(dial, Math.max(wait, delay));
    look();
  }

  function closed({ code = 0, reason = '' }) {
    if (code === 4009) finish('displaced');
    else if (code === 1000) finish('closed');
    else if (code === 1008) finish(reason || 'refused', sentence('refused'));
    else lost(0, code === 1012 || code === 4001); // 1012: restart. 4001: come back
  }

  /** The last word. @param {Trouble} [trouble] */
  function finish(reason = '', trouble) {
    if (state === 'ended') return;
    drop();
    off();
    if (resume === true && !ALIVE.includes(reason)) env.save(null);
    state = 'ended';
    if (trouble) tell('error', trouble);
    tell('state', { state });
    for (const line of lines) fail(line, sentence('session_over'));
    tell('ended', { reason });
    over();
  }

  // What the server says.

  /** @type {{[type: string]: (frame: any, mine: Link) => void}} */
  const ears = {
    session_created: opened,
    session_renewed: keep,
    message_accepted: accepted,
    message_delivered({ seq, body }) {
      const line = lines.find((one) => one.seq === seq);
      if (line) delivered(line, body);
    },
    event: pushed,
    session_paused: (_, mine) => paused(mine, true),
    session_resumed: (_, mine) => paused(mine, false),
    session_authenticated: () => tell('authenticated'),
    session_ended: ({ reason }) => finish(reason),
    error: refused,
  };

  /** @param {any} frame @param {Link} mine */
  function heard(frame, mine) {
    if (Object.hasOwn(ears, frame.type)) ears[frame.type](frame, mine);
  }

  /** @param {any} created @param {Link} mine */
  async function opened(created, mine) {
    mine.created = created;
    guest = { ...guest, ...created };
    keep(created);
    try {
      const { privateKey } = await mine.pair;
      mine.key = await env.signer.key(privateKey, created);
    } catch {
      return mine === link && lost();
    }
    if (mine !== link) return;
    watch();
    mine.openedAt = env.now();
    wasOpen = true;
    look();
    pump(mine);
  }

  /** @param {any} frame */
  function keep(frame) {
    sessionId = frame.encryptedSessionId;
    expiresAt = frame.expiresAt;
    if (resume === true) env.save(sessionId);
  }

  /** @param {Link} mine */
  function paused(mine, yes = false) {
    mine.paused = yes;
    if (mine.key) look();
  }

  /** @param {any} _ @param {Link} mine */
  function accepted(_, mine) {
    const line = answered(mine)?.line;
    if (line && lines.includes(line)) {
      if (!line.fleeting) tell('accepted', { id: line.id });
      if (line.untold) done(line); // Genesys echoes no events
    }
    pump(mine);
  }

  /** @param {any} body */
  function pushed({ body }) {
    const event = body.events?.[0];
    if (event) return tell(event.eventType === 'Typing' ? 'typing' : 'presence', body);
    const mark = markOf(body);
    const line = mark && lines.find(({ id }) => id === mark);
    if (line) delivered(line, body);
    else if (!known(body)) tell('message', body);
  }

  /** The history is told at each return. @param {any} body */
  function known(body) {
    const names = [body.id, body.channel?.messageId, markOf(body)].filter(Boolean);
    const old = names.some((name) => seen.has(name));
    for (const name of names) seen.add(name);
    for (const name of seen) {
      if (seen.size <= MOST_SEEN) break;
      seen.delete(name);
    }
    return old;
  }

  /** @param {Line} line @param {any} body */
  function delivered(line, body) {
    seen.add(line.id);
    if (body) known(body);
    done(line, body);
    tell('delivered', { id: line.id, body });
  }

  /** @param {Line} line @param {any} [body] */
  function done(line, body) {
    lines = lines.filter((one) => one !== line);
    line.resolve({ id: line.id, body });
  }

  // Refusals. Each frame has one answer, in order; what was accepted may be refused once more, later.

  /** @param {Link} mine */
  function answered(mine) {
    const first = mine.awaiting.shift();
    watch();
    vigil(mine);
    return first;
  }

  /** @param {any} frame @param {Link} mine */
  function refused({ code, message, seq, retryAfter }, mine) {
    if (!mine.created) return notOpened({ code, message }, retryAfter, mine);
    const isAnswer = seq ? mine.awaiting[0]?.seq === seq : /^frame_/.test(code);
    const answer = isAnswer && answered(mine);
    const line = answer ? answer.line : lines.find((one) => one.seq === seq && seq);
    if (!line) {
      // The sign-in is there: a connection that begins with it is another try.
      if (code === 'step_up_failed' && retryAfter >= 0) redial(lost, retryAfter * SECOND);
      return tell('error', { code, message });
    }
    if (answer && answer.seq !== line.seq) pump(mine); // it goes again anyway
    else if (retryAfter >= 0) again(line, retryAfter, mine, isAnswer);
    else if (/^sequence_/.test(code)) lost(); // the two ends do not count alike
    else if (!OVER.includes(code)) fail(line, { code, message });
  }

  /** @param {Trouble} trouble @param {number} retryAfter @param {Link} mine */
  function notOpened(trouble, retryAfter, mine) {
    if (retryAfter >= 0) return lost(retryAfter * SECOND);
    if (trouble.code !== 'session_unknown' || !sessionId) return finish(trouble.code, trouble);
    if (wasOpen) return finish(lines.some(({ type }) => type === 'end') ? 'ended' : 'expired');
    sessionId = null; // what was remembered is over: a new one
    introduce(mine);
  }

  /** The very same frame, and what was said behind it: later. @param {Line} line @param {Link} mine */
  function again(line, retryAfter = 0, mine, isAnswer = false) {
    if (isAnswer) {
      mine.seq = line.seq;
      for (const one of mine.awaiting) one.line.seq = 0;
    }
    line.seq = 0;
    if (line.fleeting) done(line); // old news
    mine.held = true;
    hold(() => {
      mine.held = false;
      pump(mine);
    }, line.fleeting ? 0 : retryAfter * SECOND);
  }

  /** @param {Line} line @param {Trouble} trouble */
  function fail(line, { code, message }) {
    lines = lines.filter((one) => one !== line);
    if (line.fleeting || line.type === 'end') return;
    line.reject(Object.assign(new Error(message), { code, id: line.id }));
    tell('failed', { id: line.id, code, message });
  }

  // What the page says.

  /** A connection on which nothing is answered is dead, whatever the browser believes. @param {Link} mine */
  const vigil = (mine) => mine.awaiting.length && watch(lost, PATIENCE);

  /** @param {Link} mine */
  const waits = (mine) => mine.held || mine.awaiting.some(({ line, seq }) => line.seq !== seq);

  /** Signing takes a while: one at a time keeps the order. @param {Link} mine */
  async function pump(mine) {
    const { created, key } = mine;
    if (mine.pumping || !key) return;
    mine.pumping = true;
    for (let line; (line = lines.find((one) => !one.seq)); ) {
      if (mine !== link || waits(mine)) break;
      const { type, payload } = line;
      const { seq } = mine;
      const signature = await env.signer.sign(key, created, type, seq, payload);
      if (mine !== link || waits(mine)) break;
      if (!lines.includes(line) || seq !== mine.seq) continue;
      line.seq = mine.seq++;
      mine.socket.send(JSON.stringify({ type, sessionId: created.encryptedSessionId, seq, payload, signature }));
      if (mine.awaiting.push({ line, seq }) === 1) vigil(mine);
    }
    mine.pumping = false;
  }

  /** @param {Partial<Line>} given */
  function say(given) {
    /** @type {any} */ const line = { type: 'message', payload: '', seq: 0, ...given };
    /** @type {Promise<any> & {id: string}} */
    const told = Object.assign(new Promise((...settle) => ([line.resolve, line.reject] = settle)), { id: line.id });
    told.catch(() => {}); // the event may be enough
    const code =
      state === 'ended' ? 'session_over'
      : lines.length >= MOST_LINES ? 'too_many_in_flight'
      : utf8(JSON.stringify(line.payload)).length > LARGEST_PAYLOAD ? 'frame_too_large'
      : '';
    if (code) void Promise.resolve().then(() => fail(line, sentence(code)));
    else {
      lines.push(line);
      if (link) pump(link);
    }
    return told;
  }

  /** @param {string | GuestMessage} content */
  function send(content) {
    const message = typeof content === 'string' ? { type: 'Text', text: content } : content;
    const id = message.metadata?.id || env.uuid();
    const named = message.events ? message : { ...message, metadata: { ...message.metadata, id } };
    return say({ id, payload: JSON.stringify(named), untold: !!message.events });
  }

  function typing() {
    const now = env.now();
    if (Math.abs(now - typedAt) < TYPING_SPAN) return;
    typedAt = now;
    const payload = JSON.stringify({ type: 'Event', events: [{ eventType: 'Typing', typing: { type: 'On' } }] });
    say({ id: '', payload, fleeting: true, untold: true });
  }

  function end() {
    if (!sessionId) finish('ended');
    else if (state !== 'ended' && !lines.some(({ type }) => type === 'end')) {
      lines = lines.filter(({ fleeting }) => !fleeting);
      say({ id: '', type: 'end' });
    }
    return ended;
  }

  // What the page, the person and the network do.

  const off = env.listen({
    person(now) {
      const before = signedIn;
      signedIn = now;
      if (now && before === false) lost(0, true); // the same conversation, as this person
    },
    wake(isOnline) {
      if (isOnline ? !link?.key : !link) dial();
    },
    offline: () => lost(),
    leave() {
      drop();
      look();
    },
  });

  for (const [name, get] of Object.entries({
    state: () => state,
    guestId: () => guest.guestId,
    profile: () => guest.profile,
    sessionId: () => sessionId,
    expiresAt: () => expiresAt,
  })) {
    Object.defineProperty(target, name, { get, enumerable: true });
  }
  dial();
  return /** @type {any} */ (Object.freeze(Object.assign(target, { send, typing, end, close: () => finish('left') })));
}

// Front door: the only room that knows `window`.

const SIGNED_IN = ['signed-in', 'authenticated'];
const SIGNED_OUT = ['signed-out', 'sign-in-failed', 'signing-in'];

/** @param {() => any} act */
const attempt = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};

const knows = (state = '') => (SIGNED_IN.includes(state) ? true : SIGNED_OUT.includes(state) ? false : undefined);

/** @param {any} root @returns {GuestEnvironment['listen']} */
const listenWith = (root) => (ears) => {
  const off = new AbortController();
  const on = (name = '', /** @type {(e: any) => void} */ hear) =>
    root.addEventListener(name, hear, { signal: off.signal, capture: true });
  on('messenger-auth', ({ detail }) => {
    const known = knows(detail.state);
    if (known !== undefined) ears.person(known);
  });
  on('online', () => ears.wake(true));
  on('offline', ears.offline);
  on('visibilitychange', () => root.document.hidden || ears.wake(false));
  on('pageshow', () => ears.wake(false));
  on('pagehide', (e) => e.persisted && ears.leave());
  return () => off.abort();
};

/** @param {any} root @param {string} base @returns {GuestEnvironment} */
const environmentOf = (root, base) => ({
  now: () => root.Date.now(),
  random: () => root.Math.random(),
  uuid: () => root.crypto.randomUUID(),
  setTimeout: (then, delay) => root.setTimeout(then, delay),
  clearTimeout: (timer) => root.clearTimeout(timer),
  connect: () => new root.WebSocket(base.replace(/^http/, 'ws') + '/ws/guest'),
  // Outside a secure context there is none.
  signer: createSigner(root.crypto.subtle),
  signedIn: () => knows(root.MessengerAuth?.status().state),
  listen: listenWith(root),
  // Of this tab; where storage is blocked even the getter throws.
  saved: () => attempt(() => root.sessionStorage.getItem('messenger-guest:' + base)),
  save: (id) =>
    attempt(() => (id ? root.sessionStorage.setItem('messenger-guest:' + base, id) : root.sessionStorage.removeItem('messenger-guest:' + base))),
  CustomEvent: root.CustomEvent,
});

/** @param {any} root */
function install(root) {
  if (root.MessengerGuest) return;
  const open = (base = '', /** @type {GuestOptions} */ options) => createChat(environmentOf(root, base), options);
  Object.defineProperty(root, 'MessengerGuest', { value: Object.freeze({ open }) });
}

if (typeof module === 'object' && module.exports) {
  module.exports = { backoff, createSigner, framed, install };
} else {
  install(window);
}
})();

// The guest socket as docs/guest-socket.md has it, written without WebCrypto and on a clock turned by hand.
import { createECDH, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const LATENCY = 20;
const SPENT = ['message_malformed', 'text_too_long', 'attributes_too_large'];

const framed = (...parts) =>
  Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );

function signatureOf(key, connection, { type, sessionId, seq, payload = '' }) {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(seq));
  return createHmac('sha256', key)
    .update(framed('messenger-frame/1', type, sessionId, connection, place, payload))
    .digest('base64url');
}

/** @param {any} clock @param {() => boolean} isSignedIn what the cookie of an upgrade says */
export function createGuestServer(clock, isSignedIn = () => false) {
  const timers = clock.timersOf('server');
  const sockets = [];
  const sessions = new Map(); // by every encrypted id that was ever told
  /** `reachable`: whether an upgrade works. `silent`: nothing passes any more. `echoes`: Genesys answers. */
  const modes = { reachable: true, silent: false, echoes: true, accepts: true, created: {} };
  /** What the next messages get in place of being accepted: {code, retryAfter}. */
  const refusals = [];
  /** The same for `init`. */
  const openings = [];
  /** What Genesys heard, once each. */
  const heard = [];
  let count = 0;

  class WebSocket {
    constructor(url) {
      if (modes.throws) throw new DOMException('blocked', 'SecurityError');
      Object.assign(this, { url, readyState: 0, at: clock.now(), frames: [], last: 0, session: null, lost: false });
      sockets.push(this);
      this.later(() => (modes.reachable ? this.open() : this.cut(1006)));
    }
    later(act) {
      timers.setTimeout(() => !this.lost && !modes.silent && act(), LATENCY);
    }
    open() {
      this.readyState = 1;
      this.signedIn = isSignedIn();
      this.onopen?.();
    }
    send(text) {
      if (this.readyState === 0) throw new DOMException('still connecting', 'InvalidStateError');
      if (this.readyState === 1) this.later(() => this.readyState === 1 && this.take(text));
    }
    close() {
      if (this.readyState > 1) return;
      this.readyState = 2;
      this.later(() => this.cut(1005));
    }
    /** The connection ends at once. */
    cut(code = 1006, reason = '') {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.lost = true;
      this.onclose?.({ code, reason });
    }
    tell(frame) {
      this.later(() => this.readyState === 1 && this.onmessage({ data: JSON.stringify(frame) }));
    }
    refuse(code, more = {}) {
      this.tell({ type: 'error', code, message: `Sentence of ${code}.`, ...more });
    }
    take(text) {
      const frame = JSON.parse(text);
      this.frames.push({ ...frame, text, at: clock.now() });
      if (frame.type === 'init') this.init(frame.payload);
      else if (modes.accepts) this.signed(frame);
    }

    init({ publicKey, encryptedSessionId, ...rest }) {
      const planned = openings.shift();
      if (planned) return this.refuse(planned.code, planned);
      if (publicKey.length !== 87) return this.refuse('public_key_refused');
      const known = encryptedSessionId && sessions.get(encryptedSessionId);
      if (encryptedSessionId && (!known || known.over)) return this.refuse('session_unknown');
      this.session = known || { guestId: `guest-${++count}`, history: [], marks: new Set(), person: this.signedIn, asked: rest };
      const id = seal(this.session);
      const connection = randomBytes(16).toString('base64url');
      const pair = createECDH('prime256v1');
      pair.generateKeys();
      const salt = randomBytes(32);
      const info = framed('messenger-frame/1', 'c2s', id, connection);
      const shared = pair.computeSecret(Buffer.from(publicKey, 'base64url'));
      Object.assign(this, { id, connection, key: Buffer.from(hkdfSync('sha256', shared, salt, info, 32)) });
      this.tell({
        type: 'session_created',
        guestId: this.session.guestId,
        encryptedSessionId: id,
        connection,
        expiresAt: new Date(clock.now() + 3_600_000).toISOString(),
        resumed: Boolean(known),
        publicKey: pair.getPublicKey('base64url'),
        salt: salt.toString('base64url'),
        ...modes.created,
      });
      if (this.signedIn && !this.session.person) {
        this.session.person = true;
        this.tell({ type: 'session_authenticated' });
      }
      for (const body of this.session.history) this.tell({ type: 'event', body });
    }

    signed(frame) {
      const { seq, type } = frame;
      if (!this.session) return this.refuse('not_started', { seq });
      if (frame.sessionId !== this.id) return this.refuse('session_foreign', { seq });
      if (frame.signature !== signatureOf(this.key, this.connection, frame)) return this.refuse('signature_wrong', { seq });
      const expected = this.last + 1;
      if (seq !== expected) return this.refuse(seq > expected ? 'sequence_gap' : 'sequence_replayed', { seq, expected });
      if (type === 'end') return this.endSession('ended');
      const planned = refusals.shift();
      if (planned) {
        if (SPENT.includes(planned.code)) this.last = seq;
        return this.refuse(planned.code, { seq, ...planned });
      }
      this.last = seq;
      this.tell({ type: 'message_accepted', seq });
      const message = JSON.parse(frame.payload);
      if (message.type === 'Event') return void heard.push(message);
      if (modes.echoes) this.hear(message, seq);
    }

    /** Genesys hears a message once, whichever connection it came by. */
    hear(message, seq) {
      const { marks, history } = this.session;
      const mark = message.metadata.id;
      if (marks.has(mark)) return this.tell({ type: 'message_delivered', seq });
      marks.add(mark);
      heard.push(message);
      const name = String(++count);
      const body = { ...message, direction: 'Inbound', id: `id-${name}`, channel: { messageId: `channel-${name}` } };
      history.push(body);
      this.tell({ type: 'message_delivered', seq, body });
      for (const other of of(this.session)) if (other !== this) other.tell({ type: 'event', body });
    }

    endSession(reason) {
      this.session.over = true;
      for (const one of of(this.session)) {
        one.tell({ type: 'session_ended', reason });
        one.later(() => one.cut(1000, reason));
      }
    }
  }

  const seal = (session) => {
    const id = `sealed-${randomBytes(24).toString('base64url')}`;
    sessions.set(id, session);
    return id;
  };
  const of = (session) => sockets.filter((one) => one.session === session && one.readyState === 1);
  const last = () => sockets.at(-1);

  return {
    WebSocket,
    sockets,
    sessions,
    modes,
    refusals,
    openings,
    heard,
    last,
    seal,
    texts: () => heard.map(({ text }) => text),
    living: () => sockets.filter(({ readyState }) => readyState < 2),
    /** Genesys says something to the newest session. */
    push(text, more = {}) {
      const name = String(++count);
      const body = { type: 'Text', text, direction: 'Outbound', id: `id-${name}`, channel: { messageId: `channel-${name}` }, ...more };
      const { session } = last();
      if (!body.events) session.history.push(body);
      for (const one of of(session)) one.tell({ type: 'event', body });
      return body;
    },
  };
}

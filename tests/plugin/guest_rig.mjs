// Sets a page with a guest chat up: clock, server, window, and the script under test.
import { readFileSync } from 'node:fs';
import { createBff } from './fake_bff.mjs';
import { createStorage, createWindow } from './fake_browser.mjs';
import { createGuestServer } from './fake_guest_server.mjs';
import { createClock } from './virtual_clock.mjs';

/** The mutant run puts another source here. */
const path = process.env.GUEST_SOURCE || new URL('../../static/messenger-guest.js', import.meta.url);
export const source = readFileSync(path, 'utf8');

/** As in a browser: listeners lie in an internal slot, so that a frozen target still takes them. */
class SlotTarget extends EventTarget {
  #inner = new EventTarget();
  addEventListener(...words) {
    this.#inner.addEventListener(...words);
  }
  removeEventListener(...words) {
    this.#inner.removeEventListener(...words);
  }
  dispatchEvent(event) {
    return this.#inner.dispatchEvent(event);
  }
}

/** The rooms, as CommonJS. */
export const rooms = (() => {
  const module = { exports: {} };
  new Function('module', 'EventTarget', source)(module, SlotTarget);
  return module.exports;
})();

const EVENTS = ['state', 'message', 'accepted', 'delivered', 'failed', 'typing', 'presence', 'paused', 'resumed', 'authenticated', 'ended', 'error'];
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** WebCrypto takes real time: turned time stands still until nothing is being computed. */
function createCrypto() {
  let busy = 0;
  const keys = [];
  const subtle = new Proxy(crypto.subtle, {
    get: (target, name) => (...words) => {
      busy += 1;
      const work = target[name](...words);
      work.then((made) => keys.push(made), () => {}).finally(() => void (busy -= 1));
      return work;
    },
  });
  const settled = async () => {
    for (let quiet = 0; quiet < 2; ) {
      await nextTurn();
      quiet = busy ? 0 : quiet + 1;
    }
  };
  return { settled, keys, window: { subtle, randomUUID: () => crypto.randomUUID() } };
}

/** Everything that outlives a page. @param {{signedIn?: boolean}} options */
export function createWorld({ signedIn = false } = {}) {
  const made = createCrypto();
  const clock = createClock(undefined, made.settled);
  const bff = createBff(clock);
  if (signedIn) bff.signIn();
  return { clock, bff, made, server: createGuestServer(clock, bff.signedIn), tab: createStorage(), local: createStorage() };
}

/** @param {any} world @param {any} [options] @param {any} [page] what is odd about the page */
export function openChat(world, options = {}, page = {}) {
  const { clock, bff, server, made } = world;
  const { window, timers } = createWindow({ ...world, ...page });
  let state = page.state || 'signed-out';
  Object.assign(window, {
    WebSocket: server.WebSocket,
    crypto: page.crypto || made.window,
    MessengerAuth: { status: () => ({ state }) },
  });
  rooms.install(window);
  const chat = window.MessengerGuest.open(bff.base, options);
  const log = [];
  for (const type of EVENTS) chat.addEventListener(type, (e) => void log.push({ ...e.detail, type, detail: e.detail }));
  const fire = (name, more = {}) => window.dispatchEvent(Object.assign(new Event(name), more));
  return {
    ...world,
    window,
    timers,
    chat,
    log,
    fire,
    advance: clock.advance,
    /** The events of these types, in order. */
    heardBy: (...types) => log.filter(({ type }) => types.includes(type)),
    types: (...types) => log.map(({ type }) => type).filter((type) => !types.length || types.includes(type)),
    show(hidden) {
      window.document.hidden = hidden;
      fire('visibilitychange');
    },
    /** What the plugin says about the person. */
    person(next) {
      state = next;
      fire('messenger-auth', { detail: { state } });
    },
  };
}

/** A chat that is open. */
export async function openedChat(options = {}, world = createWorld(), page = {}) {
  const opened = openChat(world, options, page);
  await world.clock.advance(1_000);
  return opened;
}

/** How a promise ended, without waiting for it. */
export function fateOf(promise) {
  const fate = { is: 'pending' };
  promise.then(
    (value) => Object.assign(fate, { is: 'resolved', value }),
    (error) => Object.assign(fate, { is: 'rejected', error, code: error.code }),
  );
  return fate;
}

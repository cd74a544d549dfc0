// A window with just enough in it; storages are handed in, so that a reload or a tab can share them.
import { createRandom } from './virtual_clock.mjs';

export const createStorage = () => {
  const map = new Map();
  return {
    getItem: (key) => (map.has(key) ? map.get(key) : null),
    setItem: (key, value) => void map.set(key, String(value)),
    removeItem: (key) => void map.delete(key),
    entries: () => [...map.entries()],
  };
};

/** A storage as a browser with blocked cookies has it: the getter of the window throws. */
export const BLOCKED = Symbol('blocked');

/** Several tabs of one browser: locks, and a storage that tells the others. */
export function createTabs(clock) {
  const timers = clock.timersOf('tabs');
  const storage = createStorage();
  const windows = [];
  const held = new Map();
  const log = [];
  const modes = { storageEventTakes: 5 };

  /** @param {string} name @param {{signal: AbortSignal, steal?: boolean}} options */
  function request(name, { signal, steal }, work) {
    return new Promise((resolve, reject) => {
      const entry = {
        run: async () => {
          log.push('held');
          try {
            resolve(await work());
          } catch (error) {
            reject(error);
          } finally {
            log.push('free');
            const queue = held.get(name);
            if (queue[0] === entry && queue.shift()) queue[0]?.run();
          }
        },
      };
      signal.addEventListener('abort', () => {
        const at = held.get(name).indexOf(entry);
        if (at < 1) return; // who holds it keeps it
        held.get(name).splice(at, 1);
        reject(new DOMException('late', 'AbortError'));
      });
      if (!held.has(name) || steal) held.set(name, []);
      held.get(name).push(entry);
      if (held.get(name).length === 1) timers.setTimeout(entry.run, 0);
    });
  }

  /** The storage as one window sees it. */
  function viewOf(window) {
    windows.push(window);
    const tell = (key, newValue) => {
      for (const other of windows) {
        if (other === window) continue;
        timers.setTimeout(() => other.dispatchEvent(Object.assign(new Event('storage'), { key, newValue })), modes.storageEventTakes);
      }
    };
    return {
      ...storage,
      getItem: (key) => (log.push('read'), storage.getItem(key)),
      setItem(key, value) {
        if (storage.getItem(key) === String(value)) return;
        storage.setItem(key, value);
        tell(key, String(value));
      },
      removeItem(key) {
        if (storage.getItem(key) === null) return;
        storage.removeItem(key);
        tell(key, null);
      },
    };
  }

  return { locks: { request }, viewOf, storage, log, held, modes };
}

/** As in a browser a listener's fault is reported and stops nobody else; Node would end the process. */
function createTarget(reported) {
  const listeners = [];
  return {
    addEventListener(name, hear, { signal } = {}) {
      const entry = { name, hear };
      listeners.push(entry);
      signal?.addEventListener('abort', () => void listeners.splice(listeners.indexOf(entry), 1));
    },
    dispatchEvent(event) {
      for (const { name, hear } of [...listeners]) {
        if (name !== event.type) continue;
        try {
          hear(event);
        } catch (error) {
          reported.push(error);
        }
      }
    },
  };
}

class FakeCustomEvent extends Event {
  constructor(type, { detail }) {
    super(type);
    this.detail = detail;
  }
}

/** @param {{clock: any, bff: any, local?: any, tab?: any, path?: string, hash?: string, seed?: number}} parts */
export function createWindow({ clock, bff, local, tab, tabs, path = '/shop?item=1', hash = '', seed = 1 }) {
  const reported = [];
  const url = new URL('http://www.brand.localhost:8001' + path + hash);
  const timers = clock.timersOf('plugin');
  const moves = [];
  const logged = [];

  const location = {
    get hash() { return url.hash; },
    get pathname() { return url.pathname; },
    get search() { return url.search; },
    get origin() { return url.origin; },
    get href() { return url.href; },
    assign: (to) => void moves.push(to),
    reload: () => void moves.push('reload'),
  };

  const window = {
    Date: { now: clock.local },
    performance: { now: clock.elapsed },
    Math: { random: createRandom(seed) },
    document: { hidden: false },
    navigator: { onLine: true, userActivation: { isActive: false } },
    location,
    history: {
      state: { mine: true },
      replaceState(state, title, to) {
        if (state !== this.state) throw new Error('the page lost its history state');
        url.href = new URL(to, url).href;
      },
    },
    console: { debug: (...words) => void logged.push(words) },
    CustomEvent: FakeCustomEvent,
    EventSource: bff.EventSource,
    setTimeout: timers.setTimeout,
    clearTimeout: timers.clearTimeout,
    fetch: bff.fetch,
    ...createTarget(reported),
  };
  if (tabs) {
    window.navigator.locks = tabs.locks;
    local = tabs.viewOf(window);
  }
  for (const [name, storage] of [['localStorage', local], ['sessionStorage', tab]]) {
    Object.defineProperty(window, name, {
      get() {
        if (storage === BLOCKED) throw new DOMException('denied', 'SecurityError');
        return storage;
      },
    });
  }
  return { window, moves, logged, reported, timers };
}

// Tabs of one browser, with locks, a channel and a BFF, around the sign-in dialog's rooms.
import { readFileSync } from 'node:fs';
import { createClock } from './virtual_clock.mjs';

/** The mutant run puts another source here. */
const path = process.env.SIGN_IN_SOURCE || new URL('../../static/messenger-sign-in.js', import.meta.url);
export const source = readFileSync(path, 'utf8');

/** The rooms, as CommonJS. */
export const rooms = (() => {
  const module = { exports: {} };
  new Function('module', source)(module);
  return module.exports;
})();

export const LATENCY = 20;
const GRANT = 10;
const DELIVERY = 5;

/** Web Locks: one holder each, then the next in the queue, who hears of it a moment later. */
function createLocks(clock) {
  const timers = clock.timersOf('locks');
  const queues = new Map();
  const next = (name) => {
    const queue = queues.get(name);
    if (queue.held || !queue.waiting.length) return;
    const { run, settle } = queue.waiting.shift();
    const mine = (queue.held = {});
    const free = () => {
      if (queue.held !== mine) return;
      queue.held = null;
      next(name);
    };
    queue.free = free;
    timers.setTimeout(() => void Promise.resolve(run({ name })).then(settle, settle).finally(free), GRANT);
  };
  const request = async (name, { ifAvailable, signal }, run) => {
    if (!queues.has(name)) queues.set(name, { held: null, waiting: [] });
    const queue = queues.get(name);
    if (ifAvailable && (queue.held || queue.waiting.length)) return run(null);
    return new Promise((settle, reject) => {
      const entry = { run, settle };
      queue.waiting.push(entry);
      signal?.addEventListener('abort', () => {
        if (!queue.waiting.includes(entry)) return;
        queue.waiting.splice(queue.waiting.indexOf(entry), 1);
        reject(new DOMException('gone', 'AbortError'));
      });
      next(name);
    });
  };
  return {
    request,
    waiting: (name) => queues.get(name)?.waiting.length ?? 0,
    held: (name) => Boolean(queues.get(name)?.held),
    /** The tab that holds it is closed. */
    abandon: (name) => queues.get(name).free(),
  };
}

/** Our server, as far as a sign-in beside the page goes. */
function createSignInServer(clock) {
  const timers = clock.timersOf('bff');
  const transactions = new Map();
  const requests = [];
  let signedIn = false;
  let life = 600;
  let fault = null;

  const refuse = (code, kind) => Promise.reject({ code, message: `Sentence of ${code}.`, kind, wait: 0 });
  function answer(path, body) {
    if (fault) return fault();
    if (path === '/auth/session') return { signed_in: signedIn };
    if (body) {
      const id = `t${transactions.size + 1}`;
      transactions.set(id, { status: 'pending', code: null, body });
      return { id, url: `https://auth.example/auth/login?transaction=${id}`, expires_in: life };
    }
    const { status, code } = transactions.get(path.split('/').at(-1)) ?? {};
    return status ? { status, code } : refuse('transaction_unknown', 'wrong');
  }
  const call = (path, body) => {
    requests.push({ path, body, at: clock.now() });
    return new Promise((resolve) => timers.setTimeout(() => resolve(answer(path, body)), LATENCY));
  };
  return {
    call,
    requests,
    transactions,
    last: () => transactions.get(`t${transactions.size}`),
    count: (start) => requests.filter(({ path }) => path.startsWith(start)).length,
    signIn: () => void (signedIn = true),
    signOut: () => void (signedIn = false),
    forget: () => transactions.clear(),
    live: (seconds) => void (life = seconds),
    down: () => void (fault = () => refuse('unreachable', 'unreachable')),
    refuse: (code, kind) => void (fault = () => refuse(code, kind)),
    up: () => void (fault = null),
    /** Somebody has signed in in the window: the transaction first, the cookie with the answer. */
    arrive() {
      this.last().status = 'done';
      signedIn = true;
    },
    fail(code) {
      Object.assign(this.last(), { status: 'failed', code });
    },
  };
}

/** Everything that the tabs of one browser share. */
export function createBrowser() {
  const clock = createClock();
  const channels = new Set();
  const locks = createLocks(clock);
  const timers = clock.timersOf('channel');
  const server = createSignInServer(clock);
  const post = (from, type) => {
    for (const channel of channels) {
      if (channel !== from) timers.setTimeout(() => channels.has(channel) && channel.deliver(type), DELIVERY);
    }
  };
  return { clock, channels, locks, server, post, advance: clock.advance, tabs: [] };
}

/** One tab; `odd` says what is odd about it. */
export function openTab(browser, odd = {}) {
  const { clock, server } = browser;
  const timers = clock.timersOf('tab');
  const listeners = new Set();
  const tab = { ...browser, timers, told: [], windows: [], views: [], kept: 0, left: [], frames: [], visible: true, online: true, frozen: false, mayOpen: true, mayLeave: true };
  const env = {
    now: clock.local,
    random: () => odd.random ?? 0,
    visible: () => tab.visible,
    online: () => tab.online,
    standalone: () => Boolean(odd.standalone),
    languages: () => odd.languages ?? ['en'],
    setTimeout: (then, delay) => timers.setTimeout(() => tab.frozen || then(), delay),
    clearTimeout: timers.clearTimeout,
    place: () => ({ return_to: '/shop', origin: 'https://www.example' }),
    open(url) {
      if (!tab.mayOpen) return null;
      const window = { url, closed: false, focused: 0, focus: () => void (window.focused += 1), close: () => void (window.closed = true) };
      tab.windows.push(window);
      return window;
    },
    locks: odd.locks === undefined ? browser.locks : odd.locks,
    channel(hear) {
      // As measured: a frozen page hears at once, and does nothing that takes time.
      const mine = { deliver: (type) => (tab.frozen && type !== 'asked') || hear(type) };
      browser.channels.add(mine);
      return { post: (type) => browser.post(mine, type), close: () => void browser.channels.delete(mine) };
    },
    listen(wake) {
      listeners.add(wake);
      return () => void listeners.delete(wake);
    },
    view(wish) {
      const view = { ...wish, open: true, paint: (state) => void Object.assign(view, state), close: () => void (view.open = false) };
      tab.views.push(view);
      return view;
    },
    frame(url) {
      if (odd.noFrame) return null;
      const frame = { url, there: true, remove: () => void (frame.there = false) };
      tab.frames.push(frame);
      return frame;
    },
    drafts: { keep: () => void (tab.kept += 1), restore() {} },
  };
  const wake = () => [...listeners].forEach((hear) => hear());
  browser.tabs.push(tab);
  const members = {
    env,
    wake,
    listeners,
    show(visible) {
      tab.visible = visible;
      wake();
    },
    connect(online) {
      tab.online = online;
      wake();
    },
    ask(wish = {}) {
      tab.abort = new AbortController();
      const needs = {
        base: 'https://auth.example',
        surface: 'popup',
        reason: 'sign_in',
        code: '',
        message: '',
        session: () => server.call('/auth/session'),
        call: server.call,
        redirect(insists) {
          if (!tab.mayLeave && !insists) return false;
          tab.left.push(insists);
          return true;
        },
        tell: (reason) => void tab.told.push(reason),
        signal: tab.abort.signal,
        ...wish,
      };
      tab.fate = null;
      void rooms.ask(env, needs).then((outcome) => void (tab.fate = outcome), (error) => void (tab.fate = { rejected: error }));
      return tab;
    },
    /** The view that is open, if one is. */
    get view() {
      return tab.views.filter((view) => view.open).at(-1) ?? null;
    },
    get window() {
      return tab.windows.at(-1);
    },
  };
  return Object.defineProperties(tab, Object.getOwnPropertyDescriptors(members));
}

/** A tab that has asked, a second ago. */
export async function askedTab(wish = {}, odd = {}, browser = createBrowser()) {
  const tab = openTab(browser, odd).ask(wish);
  await browser.advance(1_000);
  return tab;
}

export const dialogsOf = (browser) => browser.tabs.filter((tab) => tab.view).length;

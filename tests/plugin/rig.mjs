// Sets a page up: clock, BFF, Genesys, window, and the plugin under test.
import { readFileSync } from 'node:fs';
import { createBff } from './fake_bff.mjs';
import { createGenesys, pasteSnippet, DEPLOYMENT } from './fake_genesys.mjs';
import { createStorage, createWindow } from './fake_browser.mjs';
import { createClock } from './virtual_clock.mjs';

/** The mutant run puts another source here. */
const path = process.env.PLUGIN_SOURCE || new URL('../../static/messenger-auth.js', import.meta.url);
export const source = readFileSync(path, 'utf8');
const personPath = process.env.PERSON_SOURCE || new URL('../../static/messenger-person.js', import.meta.url);
export const personSource = readFileSync(personPath, 'utf8');

/** There is no import() of addresses in Node: the window says what one brings. */
export const importable = source.replace('await import(', 'await root.imports(');
if (importable === source) throw new Error('nothing is imported any more');

/** The rooms, as CommonJS. */
export const rooms = (() => {
  const module = { exports: {} };
  new Function('module', importable)(module);
  return module.exports;
})();

/** The scripts that a page gets when it asks: the person's room as it is, the dialog as a test plays it. */
function servePerson(window, dialog) {
  window.imported = [];
  window.imports = async (url) => {
    window.imported.push(url);
    if (url.includes('messenger-person')) new Function('globalThis', personSource)(window);
    else if (url.includes('messenger-sign-in')) window.MessengerSignIn = dialog;
    else throw new TypeError('error loading dynamically imported module');
  };
}

/** The dialog: each question waits until a test answers it, or its signal does. */
export function createDialog() {
  const asked = [];
  const silents = [];
  const dialog = {
    asked,
    silents,
    restored: 0,
    /** What a hidden frame comes to. */
    silent: async (needs) => (silents.push(needs), { done: true }),
    restoreDrafts: () => void (dialog.restored += 1),
    open: () => asked.filter((question) => !question.outcome),
    ask: (needs) =>
      new Promise((resolve) => {
        const question = { needs, outcome: null };
        question.answer = (outcome, code) => {
          question.outcome = outcome;
          resolve({ outcome, code });
        };
        needs.signal.addEventListener('abort', () => question.outcome || question.answer('cancelled'));
        asked.push(question);
        needs.tell('dialog');
      }),
  };
  return dialog;
}

/** As a page runs it: there is no `module`, and the script element is the current one. */
export function runAsScript(window, script, dialog = createDialog()) {
  servePerson(window, dialog);
  const run = new Function('window', 'document', 'module', importable);
  run(window, { currentScript: script }, undefined);
}

export const scriptOf = (bff, dataset = {}) => ({ src: `${bff.base}/static/messenger-auth.js`, dataset });

export const tokenKey = `_${DEPLOYMENT}:gcatkn`;
export const ownKey = (name) => `messenger-auth:${DEPLOYMENT}:${name}`;

/** Everything that outlives a page. */
export function createWorld(options = {}) {
  const clock = createClock();
  const bff = createBff(clock);
  if (options.who !== null) bff.signIn(options.who);
  return { clock, bff, local: createStorage(), tab: createStorage() };
}

/**
 * Opens a page in `world`: snippet, plugin, then genesys.min.js.
 * @param {any} world @param {any} [options]
 */
export function openPage(world, options = {}) {
  const { clock, bff } = world;
  const { window, moves, logged, reported, timers } = createWindow({ ...world, ...options });
  const genesys = createGenesys({ window, clock, bff, life: options.life, ...options.genesys });
  const details = [];
  window.addEventListener('messenger-auth', (e) => void details.push(e.detail));
  const dialog = options.dialog || createDialog();
  servePerson(window, dialog);
  if (options.imports) window.imports = options.imports;
  pasteSnippet(window);
  const auth = rooms.boot(window, scriptOf(bff, options.dataset));
  Object.assign(genesys.modes, options.modes);
  if (options.load !== false) genesys.load(options);
  return {
    ...world,
    window,
    moves,
    logged,
    reported,
    timers,
    genesys,
    dialog,
    auth,
    details,
    states: () => details.map((detail) => detail.state),
    wake: (name = 'focus') => window.dispatchEvent(new Event(name)),
    /** Whether a person has just clicked. */
    click: (clicked = true) => void (window.navigator.userActivation.isActive = clicked),
    pageShow: () => window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true })),
    show(visibility) {
      window.document.hidden = visibility === 'hidden';
      window.dispatchEvent(new Event('visibilitychange'));
    },
  };
}

/** A page on which a person is signed in and Messenger has its tokens. */
export async function openSignedIn(options = {}) {
  const world = options.world || createWorld(options);
  const page = openPage(world, options);
  await world.clock.advance(2_000);
  return page;
}

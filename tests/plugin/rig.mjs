// Sets a page up: clock, BFF, Genesys, window, and the plugin under test.
import { readFileSync } from 'node:fs';
import { createBff } from './fake_bff.mjs';
import { createGenesys, pasteSnippet, DEPLOYMENT } from './fake_genesys.mjs';
import { createStorage, createWindow } from './fake_browser.mjs';
import { createClock } from './virtual_clock.mjs';

/** The mutant run puts another source here. */
const path = process.env.PLUGIN_SOURCE || new URL('../../static/messenger-auth.js', import.meta.url);
export const source = readFileSync(path, 'utf8');

/** The rooms, as CommonJS. */
export const rooms = (() => {
  const module = { exports: {} };
  new Function('module', source)(module);
  return module.exports;
})();

/** As a page runs it: there is no `module`, and the script element is the current one. */
export function runAsScript(window, script) {
  const run = new Function('window', 'document', 'module', source);
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
    auth,
    details,
    states: () => details.map((detail) => detail.state),
    wake: (name = 'focus') => window.dispatchEvent(new Event(name)),
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

// The Messenger's bus and its Auth plugin as far as public sources show them, for Node.
// Subscribers are called asynchronously, only republished events are replayed, payloads are cloned
// as postMessage would, nothing has a time-out, and codes are redeemed once.

const LATENCY = 60;
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** @param {object} claims */
export const makeJwt = (claims) => `${base64url({ alg: 'none' })}.${base64url(claims)}.c2lnbmF0dXJl`;

export const DEPLOYMENT = '11111111-2222-4333-8444-555555555555';

/** The official snippet, without the script element. @param {any} window */
export function pasteSnippet(window, deploymentId = DEPLOYMENT) {
  window._genesysJs = 'Genesys';
  window.Genesys =
    window.Genesys ||
    function () {
      (window.Genesys.q = window.Genesys.q || []).push(arguments);
    };
  window.Genesys.t = 1;
  window.Genesys.c = { environment: 'prod', deploymentId };
}

/**
 * @param {{window: any, clock: any, bff: any, life?: number, deploymentId?: string}} parts
 * `modes` steers each of Auth's commands; see the functions below.
 */
export function createGenesys({ window, clock, bff, life = 900, deploymentId = DEPLOYMENT }) {
  const timers = clock.timersOf('genesys');
  const plugins = new Map();
  const stored = new Map();
  const subscribers = [];
  const model = new Map();
  /** Every command call with how often it settled. */
  const calls = [];
  const events = [];
  const modes = { refresh: 'normal', exchange: 'normal', logout: 'normal', reAuthenticate: 'normal', life };
  let mintedExp = 0;

  const tokenKey = `_${deploymentId}:gcatkn`;
  const refreshKey = `_${deploymentId}:gcartkn`;
  const storage = {
    get: (key) => attempt(() => window.localStorage.getItem(key)),
    set: (key, value) => attempt(() => window.localStorage.setItem(key, value)),
    remove: (key) => attempt(() => window.localStorage.removeItem(key)),
  };
  /** What Messenger knows even where storage is blocked. */
  let memoryToken = null;

  function attempt(act) {
    try {
      return act();
    } catch {
      return null;
    }
  }

  const later = (delay, value) => new Promise((resolve) => timers.setTimeout(() => resolve(value), delay));
  const deliver = (hear, envelope) => timers.setTimeout(() => hear(structuredClone(envelope)), 0);

  function publish(publisher, eventName, data = {}) {
    const event = `${publisher}.${eventName}`;
    const envelope = { time: clock.now(), publisher, event, eventName, data: structuredClone(data) };
    events.push(envelope);
    for (const entry of subscribers) if (entry.event === event) deliver(entry.hear, envelope);
  }

  function republish(publisher, eventName, data = {}) {
    publish(publisher, eventName, data);
    stored.set(`${publisher}.${eventName}`, { time: clock.now(), publisher, event: `${publisher}.${eventName}`, data });
  }

  function subscribe(event, hear) {
    subscribers.push({ event, hear });
    if (stored.has(event)) deliver(hear, stored.get(event));
    return event;
  }

  function command(name, options = {}) {
    const [plugin, verb] = name.split('.');
    const handler = plugins.get(plugin)?.commands[verb];
    const call = { name, at: clock.now(), options, resolved: 0, rejected: 0 };
    calls.push(call);
    const once = () => {
      if (call.resolved + call.rejected > 1) throw new Error(`${name} was settled twice`);
    };
    return new Promise((resolve, reject) => {
      if (!handler) return reject({ message: `Command ${name} is not registered` });
      handler({
        data: structuredClone(options),
        resolve(value) {
          call.resolved += 1;
          once();
          call.value = structuredClone(value);
          resolve(call.value);
        },
        reject(error) {
          call.rejected += 1;
          once();
          call.error = structuredClone(error);
          reject(call.error);
        },
      });
    });
  }

  function registerPlugin(name, ready) {
    if (plugins.has(name)) throw new Error(`Can't register plugin ${name} -- Name is already taken`);
    const plugin = { commands: {}, isReady: false, afterReady: [] };
    plugins.set(name, plugin);
    ready({
      registerCommand(verb, handler) {
        if (plugin.isReady) plugin.afterReady.push(verb);
        if (verb.includes('.')) throw new Error(`foreign name ${verb}`);
        plugin.commands[verb] = handler;
      },
      command,
      publish: (eventName, data) => publish(name, eventName, data),
      republish: (eventName, data) => republish(name, eventName, data),
      subscribe,
      data: (key, ...value) => (value.length ? model.set(key, value[0]) : model.get(key)),
      ready() {
        plugin.isReady = true;
        republish(name, 'ready');
      },
    });
  }

  function mint(person) {
    const iat = Math.floor(clock.now() / 1000);
    mintedExp = iat + modes.life;
    return makeJwt({ iat, exp: mintedExp, sub: person, name: 'Zoë ☃' });
  }

  const token = () => storage.get(tokenKey) || memoryToken;
  const isValid = () => clock.now() < mintedExp * 1000;

  function keep(jwt) {
    memoryToken = jwt;
    storage.set(tokenKey, jwt);
    storage.set(refreshKey, 'refresh-1');
    model.set('Auth.authenticated', true);
    publish('Auth', 'authenticated', { jwt, refreshToken: 'refresh-1' });
  }

  function drop() {
    memoryToken = null;
    storage.remove(tokenKey);
    storage.remove(refreshKey);
    model.set('Auth.authenticated', false);
  }

  /** The exchange; `exchange`: normal, or a status to fail with. */
  async function exchange(data) {
    await later(LATENCY);
    if (!data?.authCode || !data.redirectUri) throw { message: 'no authCode or redirectUri' };
    publish('Auth', 'authenticating', { authCode: 'hidden', redirectUri: data.redirectUri });
    const person = modes.exchange === 'normal' && bff.redeem(data.authCode);
    if (!person) {
      publish('Auth', 'error', { message: 'exchange failed' });
      throw { status: modes.exchange === 'normal' ? 400 : modes.exchange, message: 'exchange failed' };
    }
    keep(modes.exchange === 'normal' && modes.stuckExp ? makeJwt({ exp: modes.stuckExp }) : mint(person));
  }

  async function getTokens(options = {}) {
    let data;
    try {
      data = await command('AuthProvider.getAuthCode', options);
    } catch (error) {
      publish('Auth', 'authError', error);
      throw error;
    }
    await exchange(data);
  }

  /** normal · early (refused while valid) · noop (no event) · same (the same token again) · hang · an error object */
  async function refreshToken() {
    await later(LATENCY);
    const how = typeof modes.refresh === 'function' ? modes.refresh() : modes.refresh;
    if (how === 'hang') return new Promise(() => {});
    if (typeof how === 'object') throw how;
    if (how === 'same') return publish('Auth', 'authenticated', { jwt: token(), refreshToken: 'refresh-1' });
    if (how === 'noop' || (how === 'early' && isValid())) return undefined;
    return keep(mint('tag-anna'));
  }

  /** normal · dead (the resolve has no effect) */
  async function reAuthenticate() {
    const data = await command('AuthProvider.reAuthenticate');
    if (modes.reAuthenticate === 'dead') return;
    if (data) modes.payloads?.push(data);
    await getTokens();
  }

  /** normal · reject · hang */
  async function logout() {
    await later(LATENCY);
    if (modes.logout === 'hang') return new Promise(() => {});
    if (modes.logout === 'reject') throw { status: 401, message: 'revoke failed' };
    drop();
    publish('Auth', 'loggedOut', { status: 204, statusText: '', data: '' });
    return undefined;
  }

  const answers = (work) => (e) => void work(e.data).then(e.resolve, e.reject);

  function registerAuth() {
    registerPlugin('Auth', (auth) => {
      auth.registerCommand('getTokens', answers(getTokens));
      auth.registerCommand('refreshToken', answers(refreshToken));
      auth.registerCommand('reAuthenticate', answers(reAuthenticate));
      auth.registerCommand('logout', answers(logout));
      auth.ready();
    });
  }

  const actions = { registerPlugin, command, subscribe };

  return {
    calls,
    events,
    modes,
    plugins,
    tokenKey,
    token,
    publish,
    command,
    mint,
    keep,
    names: (name) => calls.filter((call) => call.name === name),
    /** genesys.min.js arrives: it replaces window.Genesys, then drains the queue. */
    load({ autoLogin = true } = {}) {
      const queue = window.Genesys.q || [];
      window.Genesys = (action, ...rest) => actions[action]?.(...rest);
      republish('GenesysJS', 'configurationReceived', {
        deploymentConfig: { id: deploymentId, auth: { enabled: true } },
        snippetConfig: { deploymentId },
      });
      registerAuth();
      for (const [action, ...rest] of queue) window.Genesys(action, ...rest);
      if (token()) model.set('Auth.authenticated', true);
      else if (autoLogin) timers.setTimeout(() => plugins.has('AuthProvider') && getTokens().catch(() => {}), 0);
    },
    /** An anonymous person presses "Sign in" in the Messenger. */
    async pressSignIn() {
      const data = await command('AuthProvider.signIn');
      await (data ? exchange(data) : getTokens());
    },
    /** Messenger's own Re-authenticate. */
    pressReAuthenticate: () => command('Auth.reAuthenticate'),
    /** Each call that settled more than once, or registered late, breaks the contract. */
    offences: () => [
      ...calls.filter((call) => call.resolved + call.rejected > 1),
      ...[...plugins.values()].flatMap((plugin) => plugin.afterReady),
    ],
  };
}

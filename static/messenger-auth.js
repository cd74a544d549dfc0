// @ts-check
/*!
 * Signed-in customers chat as themselves in the Genesys Messenger: see docs/plugin.md.
 * Only the last room touches globals; no token or code is stored, logged or in an event.
 */
(() => {
'use strict';

const SECOND = 1_000;
const MINUTE = 60_000;
const LONGEST_TIMER = 0x7fffffff; // beyond it browsers fire at once

/** @param {() => any} act */
const attempt = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};
const parse = (/** @type {any} */ text) => attempt(() => JSON.parse(text));

/** One timer: each call clears the last. @param {Environment} env */
function createAlarm(env) {
  /** @type {any} */ let timer;
  return (/** @type {any} */ then = null, delay = 0) => {
    env.clearTimeout(timer);
    timer = then && env.setTimeout(then, Math.min(Math.max(delay, 0), LONGEST_TIMER));
  };
}

// Words: what a person may read.

/** @type {any} */
const SENTENCES = {
  messenger_logout_failed: 'You are signed out, but the chat is not. Please close this page.',
  reload_needed: 'The chat did not come back. Please reload the page.',
  sign_in_denied: 'The sign-in was cancelled or refused. You can try again.',
  sign_in_failed: 'The sign-in did not work. You can try again.',
  sign_in_loop: 'The sign-in failed several times. You can try again.',
  sign_in_needed: 'Please sign in to continue the chat.',
  sign_out_failed: 'You are still signed in. Please try to sign out again.',
  unreachable: 'The sign-in service does not answer. Please try again.',
};

/** @param {Kind} kind */
const problem = (code = '', kind = 'wrong', message = SENTENCES[code] || SENTENCES.sign_in_failed, wait = 0) => ({
  code,
  message,
  kind,
  wait,
});
const unreachable = () => problem('unreachable', 'unreachable');
const signedOut = () => problem('sign_in_needed', 'refused');

const publicPart = ({ code = '', message = '' }) => ({ code, message });

// BFF client: what the page asks of our own server.

const ANSWER_LIMIT = 10_000;
const AUTH_DATA = ['authCode', 'redirectUri', 'codeVerifier', 'nonce', 'maxAge', 'iss'];

const kindOf = (status = 0) => (status === 401 ? 'refused' : status === 429 || status > 499 ? 'unreachable' : 'wrong');

/** @param {Environment} env */
function createBff(env, base = '') {
  /** @param {object} [body] */
  async function call(path = '', body) {
    const abort = new AbortController();
    const timer = env.setTimeout(() => abort.abort(), ANSWER_LIMIT);
    let response, answer;
    try {
      response = await env.fetch(base + path, {
        ...(body && {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'X-CSRF': '1' },
          body: JSON.stringify(body),
        }),
        credentials: 'include',
        cache: 'no-store',
        redirect: 'error', // a captive portal is no answer
        signal: abort.signal,
      });
      answer = (await response.json()) || {};
    } catch {
      throw unreachable();
    } finally {
      env.clearTimeout(timer);
    }
    if (response.ok) return answer;
    const wait = response.headers.get('Retry-After') * SECOND || 0;
    throw problem(answer.code, kindOf(response.status), answer.message, wait);
  }

  return {
    /** @returns {Promise<Session>} */
    async session() {
      const sent = env.now();
      const answer = await call('/auth/session');
      if (typeof answer.signed_in !== 'boolean') throw unreachable();
      return { ...answer, offset: answer.server_now_ms - (sent + env.now()) / 2 };
    },
    /** Never one that was handed out before. @returns {Promise<AuthData>} */
    async code(forceUpdate = false) {
      for (let tries = 2; tries--; ) {
        const sent = env.now();
        const answer = await call('/messenger/code', forceUpdate ? { forceUpdate } : {});
        const life = answer.expiresIn * SECOND;
        // The computer may have slept meanwhile.
        const old = life - (env.now() - sent) < Math.min(10_000, life / 2);
        if (old || !answer.authCode || !answer.redirectUri) continue;
        return Object.fromEntries(AUTH_DATA.filter((k) => answer[k] != null).map((k) => [k, answer[k]]));
      }
      throw unreachable();
    },
    logout: (/** @type {any} */ body) => call('/auth/logout', body),
  };
}

// Renewal: a new JWT just in time. None comes while the old one is valid; late is cheap.

const LEAD = 2_000;
const LATE = -250;
const SETTLE = 5_000;
const COMMAND_LIMIT = 20_000;
const TICK = 30_000;
const FLOOR = 10_000;
const MOST_ATTEMPTS = 4;
const MOST_FIRED = 70;
const FIRED_SPAN = 600_000;

/** @param {number[]} times */
const recent = (times, now = 0, span = 0) => times.filter((at) => at <= now && now - at < span);

const backoff = (n = 0, random = Math.random, floor = 0) => Math.max(floor || 0, 500 + random() * Math.min(MINUTE, 2 ** n * SECOND));

/** @returns {Claims | null} */
const decodeJwt = (jwt = '') =>
  attempt(() => {
    const part = jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
    const { exp, iat } = JSON.parse(new TextDecoder().decode(bytes));
    return Number.isFinite(exp) ? { exp, iat: iat < exp ? iat : 0 } : null;
  });

/** Server minus local clock: an old `iat` says nothing. */
const offsetOf = ({ exp = 0, iat = 0 }, now = 0, fresh = false, saved = { exp: 0, offset: 0 }, server = 0) =>
  saved.exp === exp ? +saved.offset || 0 : fresh && iat ? iat * SECOND - now : server || 0;

/** Undocumented. @param {any} error */
const isFatal = (error) => [400, 401, 403].includes(error?.status) || /invalid_grant/.test(error?.message);

/** @param {Environment} env @param {RenewalNeeds} needs */
function createRenewal(env, needs) {
  let status = 'idle';
  let lead = LEAD;
  let attempts = 0;
  let notBefore = 0;
  /** @type {Token | null} */ let token = null;
  /** @type {number[]} */ let fired = [];
  /** The request under way. @type {object | null} */ let flight = null;
  const alarm = createAlarm(env);

  /** @param {Act} [then] */
  function move(next = '', then, delay = 0) {
    status = next;
    alarm(then, delay);
  }

  /** @param {Token} t */
  const dueAt = (t) => Math.max(t.deadline - Math.min(lead, t.life / 2), t.floor, notBefore);

  // Ticks notice a sleep; a hidden tab gets one timer, which is not throttled.
  function arm(next = 'scheduled') {
    if (!token) return move('idle');
    const delay = dueAt(token) - env.now();
    move(next, check, env.visible() ? Math.min(delay, TICK) : delay);
  }

  function check() {
    if (!token || flight || status === 'halted') return;
    const now = env.now();
    // A clock that was put back costs one life at most.
    token.deadline = Math.min(token.deadline, now + token.life);
    token.floor = Math.min(token.floor, now + FLOOR);
    if (now < dueAt(token)) return arm(status);
    if (!env.visible()) return move('due-hidden');
    if (!env.online()) return move('offline');
    fired = recent(fired, now, FIRED_SPAN);
    if (fired.push(now) > MOST_FIRED) return halt('too_many_renewals');
    fire(now < token.deadline);
  }

  function fire(early = false) {
    const mine = (flight = {});
    const failed = (/** @type {any} */ error) => mine === flight && failure(error, early);
    move('refreshing', () => failed(null), COMMAND_LIMIT);
    // The event is the evidence, not this answer.
    needs.refresh().then(() => mine === flight && move('refreshing', () => standstill(early), SETTLE), failed);
  }

  function standstill(early = false) {
    flight = null;
    if (!early || lead < 0) return again('no_progress');
    lead = LATE;
    arm('early');
  }

  /** @param {any} error */
  function failure(error, early = false) {
    flight = null;
    if (!env.online()) return move('offline');
    if (!isFatal(error)) return again('renewal_failed', error?.retryAfter * SECOND);
    // Before the end it may only mean "too early".
    return early && lead > 0 ? standstill(early) : halt('refused');
  }

  function again(reason = '', floor = 0) {
    if (++attempts >= MOST_ATTEMPTS) return halt(reason);
    notBefore = env.now() + backoff(attempts, env.random, floor);
    arm('retrying');
  }

  function halt(reason = '') {
    move('halted');
    needs.halted(reason);
  }

  return {
    status: () => status,
    wake: check,
    /** Only a greater `exp` is progress. @param {Claims | null} claims */
    accept(claims, fresh = false) {
      if (!claims || (token && claims.exp <= token.exp)) return false;
      const { exp, iat } = claims;
      const now = env.now();
      const offset = offsetOf(claims, now, fresh, needs.saved(), needs.serverOffset());
      if (fresh && iat) needs.save({ exp, offset });
      token = {
        exp,
        deadline: exp * SECOND - offset,
        life: iat ? (exp - iat) * SECOND : Infinity,
        floor: fresh ? now + FLOOR : 0,
      };
      flight = null;
      attempts = notBefore = 0;
      arm();
      return true;
    },
    reset() {
      token = flight = null;
      attempts = notBefore = 0;
      lead = LEAD;
      move('idle');
    },
  };
}

// AuthProvider: the commands, and whose chat it is.

const LOGOUT_LIMIT = 2_500;
const WATCH = 10_000;
const LOAD_WATCH = 3_000;
const AWAY_LIMIT = 30_000;
const LOOP_SPAN = 300_000;
const CHECK_SPAN = 2_000;
const MOST_REDIRECTS = 3;
const MOST_CODES = 12;
const MOST_RECOVERIES = 5;
const UNKNOWN = '?';

/** Nothing secret. @param {Page} page @param {() => string} deployment */
function createMemory({ local, tab }, deployment) {
  const key = (name = '') => `messenger-auth:${deployment()}:${name}`;
  /** @type {any} */ let owner = null; // if storage is blocked

  return {
    // An opaque tag: whose tokens Messenger holds.
    owner: () => local.get(key('person')) || owner,
    own: (/** @type {any} */ tag) => local.set(key('person'), (owner = tag)),
    clock: () => parse(local.get(key('clock'))) || undefined,
    saveClock: (/** @type {any} */ record) => local.set(key('clock'), JSON.stringify(record)),
    // Read only; its form is not promised.
    token: () => /eyJ[\w-]*\.[\w-]+\.[\w-]*/.exec(local.get(`_${deployment()}:gcatkn`) || '')?.[0],
    /** @param {Environment} env */
    mayLeave(env) {
      const known = parse(tab.get(key('redirects')));
      const times = recent(Array.isArray(known) ? known : [], env.now(), LOOP_SPAN);
      if (times.push(env.now()) > MOST_REDIRECTS) return false;
      const next = JSON.stringify(times);
      tab.set(key('redirects'), next);
      // Without a memory only a click leaves the page.
      return tab.get(key('redirects')) === next || env.activated();
    },
    forgiveLoops: () => tab.set(key('redirects'), null),
  };
}

/** @param {Environment} env @param {ReturnType<typeof createBff>} bff @param {Page} page @param {Settings} settings */
function createProvider(env, bff, page, settings) {
  const { base, provider } = settings;
  let deployment = settings.deployment || page.snippetDeployment() || '';
  let declined = settings.failure; // nobody goes straight back to where they cancelled
  let ready = false;
  let authenticated = false;
  let disposed = false;
  let coded = false; // the next tokens are this person's
  let recoveries = 0;
  let checkedAt = 0;
  let settled = Promise.resolve();
  /** @type {Detail} */ let current = { state: 'loading', at: env.now() };
  /** @type {Bus | null} */ let bus = null;
  /** @type {Session | null} */ let session = null;
  /** @type {number[]} */ let codes = [];
  /** Commands of a page that goes away. @type {((trouble: Problem) => void)[]} */ let parked = [];
  /** @type {Act | null} */ let closeEvents = null;
  /** @type {any} */ let checking;
  /** @type {any} */ let signingOut;

  const watch = createAlarm(env);
  const recovery = createAlarm(env);
  const away = createAlarm(env);
  const memory = createMemory(page, () => deployment);
  const renewal = createRenewal(env, {
    refresh: () => command('Auth.refreshToken'),
    saved: memory.clock,
    save: memory.saveClock,
    serverOffset: () => session?.offset,
    halted: renewalHalted,
  });

  const person = () => (session?.signed_in && session.person) || null;
  const is = (/** @type {string[]} */ ...states) => states.includes(current.state);
  const closed = () => disposed || is('signing-out');
  const busy = () => closed() || parked.length > 0;

  /** @param {Problem} [trouble] */
  function tell(state = '', reason = '', trouble) {
    if (disposed) return;
    const { code, message } = trouble || {};
    const name = person() ? session?.name : undefined;
    current = Object.freeze({ state, reason, at: env.now(), code, message, name });
    page.emit(current);
  }

  /** @returns {Promise<any>} */
  async function command(name = '') {
    if (!bus || !ready) throw unreachable();
    return bus.command(name, {});
  }

  // Messenger may ignore a resolve.

  const stuck = () => tell('stuck', 'no_tokens', problem('reload_needed'));

  function expectTokens(delay = 0, tries = 1, giveUp = stuck) {
    watch(() => {
      if (tries <= 0) return is('unavailable', 'signed-out', 'halted') || giveUp();
      command('Auth.getTokens').catch(() => {});
      expectTokens(WATCH, tries - 1, giveUp);
    }, delay);
  }

  /** @param {any} e */
  function tokensCame({ data }) {
    const ours = coded;
    coded = false;
    if (closed() || (session && !person() && !ours)) return; // somebody left
    const grew = renewal.accept(decodeJwt(data.jwt), true);
    if (ours) memory.own(person() || UNKNOWN);
    if (!grew && renewal.status() === 'halted') return; // no progress
    watch();
    tell('authenticated', authenticated ? 'renewed' : 'tokens');
    authenticated = true;
    recoveries = 0;
  }

  // A fresh silent code once, then one prompt.
  function renewalHalted(reason = '') {
    authenticated = false;
    expectTokens(0, 1, () => tell('halted', reason, signedOut()));
  }

  // An unattended page comes to rest.
  function recoverLater(floor = 0) {
    if (closed() || ++recoveries > MOST_RECOVERIES) return;
    recovery(() => env.visible() && env.online() && check(), backoff(recoveries, env.random, floor));
  }

  /** @param {Problem} trouble */
  function unavailable(trouble) {
    if (!authenticated) tell('unavailable', 'unreachable', trouble);
    recoverLater(trouble.wait);
  }

  // Messenger keeps its tokens when somebody else signs in.

  /** @returns {Promise<void>} */
  function check() {
    checkedAt = env.now();
    checking ??= bff
      .session()
      .then((answer) => void (session = answer), unavailable)
      .then(() => ((checking = null), settle()));
    return checking;
  }

  const settle = () => (settled = settled.then(settleNow));

  async function settleNow() {
    const known = session && ready && deployment;
    const changed = known && !busy() && (await guardIdentity());
    if (busy()) return;
    if (session && !person()) {
      if (!is('halted', 'sign-in-failed', 'signed-out')) tell('signed-out', 'no_session');
    } else if (!authenticated) becomeAuthenticated(changed ? 0 : LOAD_WATCH);
    else if (!is('authenticated') || current.name !== session?.name) tell('authenticated', 'session');
    openEvents();
  }

  /** @returns {Promise<boolean | void>} */
  async function guardIdentity() {
    const whose = memory.owner() || (memory.token() && UNKNOWN);
    if (!whose || whose === person()) return;
    if (whose === UNKNOWN && authenticated && person()) return memory.own(person());
    await leaveMessenger();
    return true;
  }

  function becomeAuthenticated(delay = 0) {
    if (is('halted', 'stuck')) return;
    if (session && !is('signed-in')) tell('signed-in', 'session');
    if (!ready || !deployment || checking) return;
    // With the BFF out of reach a known chat goes on.
    if (memory.owner() && renewal.accept(decodeJwt(memory.token()), false)) {
      authenticated = true;
      tell('authenticated', 'restored');
    } else if (session) expectTokens(delay);
  }

  // The bus has no time-out.
  async function leaveMessenger() {
    const limit = createAlarm(env);
    watch();
    const done = await new Promise((resolve) => {
      limit(() => resolve(false), LOGOUT_LIMIT);
      command('Auth.logout').then(() => resolve(true), () => resolve(false));
    });
    limit();
    forgetTokens();
    if (done) memory.own(null); // else at the next load
    return done;
  }

  function forgetTokens() {
    renewal.reset();
    authenticated = coded = false;
  }

  function loggedOut() {
    forgetTokens();
    memory.own(null);
    if (is('authenticated')) tell('signed-in', 'messenger_logged_out');
  }

  function openEvents() {
    if (closeEvents || !person()) return;
    closeEvents = page.listen(base + '/auth/events', { session: heard, session_ended: ended }, () => {
      closeEvents = null; // 204 or an error: ask first
      recoverLater();
    });
  }

  function shutEvents() {
    closeEvents?.();
    closeEvents = null;
  }

  function heard({ person: seen = '' }) {
    if (seen !== person()) void check();
  }

  async function ended({ reason = 'session_ended' }) {
    if (closed()) return;
    session = { signed_in: false };
    shutEvents();
    tell('signed-out', reason);
    const held = memory.owner() || memory.token();
    if (!(await leaveMessenger()) && held) tell('signed-out', reason, problem('messenger_logout_failed'));
  }

  // The commands: promises, so they settle once.

  async function freshCode(forceUpdate = false) {
    if (closed()) throw signedOut();
    codes = recent(codes, env.now(), LOOP_SPAN);
    if (codes.push(env.now()) > MOST_CODES) throw stopLoop();
    const data = await bff.code(forceUpdate);
    if (closed()) throw signedOut();
    coded = true;
    if (!person()) void check();
    return data;
  }

  function stopLoop() {
    const trouble = problem('sign_in_loop');
    tell('halted', 'loop', trouble);
    return trouble;
  }

  /** @param {Problem} trouble */
  function noted(trouble) {
    if (trouble.kind === 'unreachable') unavailable(trouble);
    else if (trouble.kind === 'wrong' && !is('halted')) tell('halted', 'refused', trouble);
    return trouble;
  }

  const getAuthCode = ({ forceUpdate = false }) =>
    freshCode(forceUpdate).catch((trouble) => {
      authenticated = false;
      if (trouble.kind === 'refused' && ++recoveries <= MOST_RECOVERIES) void check();
      throw noted(trouble);
    });

  /** @param {Act} allow throws what speaks against leaving */
  const codeOrRedirect = (allow) =>
    freshCode().then(
      (data) => {
        expectTokens(WATCH, 2);
        return data;
      },
      (trouble) => {
        if (trouble.kind !== 'refused' || closed()) throw noted(trouble);
        allow();
        return redirect();
      },
    );

  const guardLoop = () => {
    if (!memory.mayLeave(env)) throw stopLoop();
  };

  async function reAuthenticate() {
    forgetTokens();
    guardLoop();
    return codeOrRedirect(() => {
      const code = declined;
      declined = '';
      if (code && !env.activated()) throw problem(code);
    });
  }

  const signInCommand = () =>
    codeOrRedirect(guardLoop).then(
      (data) => {
        bus?.publish('signedIn', data);
        return data;
      },
      (trouble) => {
        bus?.publish('signInFailed', publicPart(trouble));
        throw trouble;
      },
    );

  /** @param {(data: any) => Promise<AuthData>} work */
  const answering = (work) => (/** @type {any} */ e) =>
    void work(e.data || {}).then((data) => e.resolve(data), (trouble) => e.reject?.(publicPart(trouble)));

  /** @returns {Promise<never>} */
  function redirect() {
    if (!parked.length) {
      watch();
      tell('signing-in', 'redirect');
      const query = { return_to: page.returnTo(), origin: page.origin, surface: 'redirect', ...(provider && { provider }) };
      page.go(base + '/auth/login?' + new URLSearchParams(query));
      away(comeBack, AWAY_LIMIT);
    }
    return new Promise((_, reject) => parked.push(reject));
  }

  // Still here, or here again by the Back button.
  function comeBack() {
    away();
    if (!parked.length) return;
    const trouble = problem('sign_in_denied');
    for (const reject of parked) reject(trouble);
    parked = [];
    tell('sign-in-failed', 'returned', trouble);
  }

  async function signIn() {
    await check();
    if (!session || (person() && authenticated)) return;
    if (person()) {
      command('Auth.reAuthenticate').catch(() => {});
      return expectTokens(WATCH, 2);
    }
    if (memory.mayLeave(env)) redirect().catch(() => {});
    else stopLoop();
  }

  async function retry() {
    if (is('stuck')) return page.reload();
    forgive();
    return signIn();
  }

  function forgive() {
    memory.forgiveLoops();
    declined = '';
    recoveries = 0;
    codes = [];
  }

  async function signOutNow() {
    shutEvents();
    recovery();
    tell('signing-out');
    await leaveMessenger();
    const answer = await bff.logout({ return_to: page.returnTo(), origin: page.origin }).catch((trouble) => trouble);
    if (answer.kind && answer.kind !== 'refused') {
      tell('sign-out-failed', answer.kind, problem('sign_out_failed'));
      return openEvents();
    }
    session = { signed_in: false }; // refused: it had ended already
    forgive();
    tell('signed-out', 'signed_out');
    page.go(answer.logout_url);
  }

  function learnDeployment(id = '') {
    if (deployment || !id) return;
    deployment = id;
    void settle();
  }

  /** @param {Bus} given */
  function register(given) {
    bus = given;
    bus.registerCommand('getAuthCode', answering(getAuthCode));
    bus.registerCommand('reAuthenticate', answering(reAuthenticate));
    bus.registerCommand('signIn', answering(signInCommand));
    bus.subscribe('GenesysJS.configurationReceived', ({ data }) =>
      learnDeployment(data.snippetConfig?.deploymentId || data.deploymentConfig?.id),
    );
    bus.subscribe('Auth.authenticated', tokensCame);
    bus.subscribe('Auth.loggedOut', loggedOut);
    bus.subscribe('Auth.ready', () => {
      ready = true;
      void settle();
    });
    // A new socket needs a valid JWT.
    for (const event of ['offline', 'reconnecting', 'reconnected']) {
      bus.subscribe('MessagingService.' + event, renewal.wake);
    }
    bus.ready();
  }

  // Persisted: out of the back-forward cache.
  function wake(persisted = false) {
    renewal.wake();
    if (persisted) comeBack();
    const lost = (!person() || is('unavailable')) && env.now() - checkedAt > CHECK_SPAN;
    if ((persisted || lost) && env.visible() && env.online()) void check();
  }

  function dispose() {
    disposed = true;
    shutEvents();
    renewal.reset();
    [watch, recovery, away].forEach((alarm) => alarm());
  }

  if (declined) tell('sign-in-failed', 'returned', problem(declined));

  const status = () => Object.freeze({ ...current, renewal: renewal.status() });
  const signOut = () => (signingOut ??= signOutNow().finally(() => (signingOut = null)));
  return { check, register, wake, dispose, status, signIn, signOut, retry };
}

// Front door: the only room that knows `window`.

const EVENT = 'messenger-auth';
const FAILURE = /[#&]messenger-auth-error=([\w-]{1,60})/;

/** Where it is blocked, even the getter throws. @param {any} root @returns {Shelf} */
const shelf = (root, kind = '') => ({
  get: (key) => attempt(() => root[kind].getItem(key)),
  set: (key, value) => attempt(() => (value ? root[kind].setItem(key, value) : root[kind].removeItem(key))),
});

/** @param {any} root @returns {Environment} */
const environmentOf = (root) => ({
  now: () => root.Date.now(),
  random: () => root.Math.random(),
  visible: () => !root.document.hidden,
  online: () => root.navigator.onLine,
  activated: () => root.navigator.userActivation?.isActive,
  setTimeout: (then, delay) => root.setTimeout(then, delay),
  clearTimeout: (timer) => root.clearTimeout(timer),
  fetch: (url, options) => root.fetch(url, options),
});

/** @param {Location} location */
function plainPath({ pathname, search, hash }) {
  const rest = hash.replace(FAILURE, '').slice(1);
  return pathname + search + (rest && '#' + rest);
}

/** @param {any} root */
function takeFailure({ location, history }) {
  const found = FAILURE.exec(location.hash);
  if (found) history.replaceState(history.state, '', plainPath(location));
  return found ? found[1] : '';
}

/** @param {any} root @returns {Page['listen']} */
const listenWith = (root) => (url, hears, closed) => {
  const source = new root.EventSource(url, { withCredentials: true });
  for (const event of Object.keys(hears)) {
    source.addEventListener(event, (/** @type {any} */ e) => hears[event](parse(e.data) || {}));
  }
  source.onerror = () => source.readyState === 2 && closed(); // 2: for good
  return () => source.close();
};

/** @param {any} root @returns {Page} */
function pageOf(root, debug = false) {
  const { location } = root;
  return {
    local: shelf(root, 'localStorage'),
    tab: shelf(root, 'sessionStorage'),
    origin: location.origin,
    snippetDeployment: () => root.Genesys?.c?.deploymentId,
    returnTo: () => plainPath(location),
    reload: () => location.reload(),
    go: (url) => /^https?:/.test(url) && location.assign(url), // never javascript:
    emit(detail) {
      if (debug) root.console.debug(EVENT, detail.state, detail.reason, detail.code);
      root.dispatchEvent(new root.CustomEvent(EVENT, { detail }));
    },
    listen: listenWith(root),
  };
}

/** @param {any} root @param {(detail: Detail) => void} hear */
function subscribe(root, event = '*', hear) {
  const off = new AbortController();
  const filtered = (/** @type {any} */ { detail }) => (event === '*' || event === detail.state) && hear(detail);
  root.addEventListener(EVENT, filtered, off);
  return () => off.abort();
}

/** @param {any} root @param {(persisted: boolean) => void} wake @param {AbortSignal} signal */
function wakeOn(root, wake, signal) {
  for (const name of ['visibilitychange', 'resume', 'pageshow', 'focus', 'online']) {
    // Captured: the document's events too, but not each field's focus.
    root.addEventListener(name, (/** @type {any} */ e) => wake(e.persisted), { signal, capture: name !== 'focus' });
  }
}

/** @param {any} root @param {any} script the element that loaded us */
function boot(root, script) {
  if (root.MessengerAuth) return root.MessengerAuth; // loaded twice
  const { deployment, provider: name, debug } = script.dataset;
  const base = new URL('..', script.src).href.slice(0, -1);
  const env = environmentOf(root);
  const settings = { base, deployment, provider: name, failure: takeFailure(root) };
  const provider = createProvider(env, createBff(env, base), pageOf(root, debug !== undefined), settings);
  const { status, signIn, signOut, retry } = provider;
  const off = new AbortController();
  wakeOn(root, provider.wake, off.signal);
  const dispose = () => {
    off.abort();
    provider.dispose();
  };
  const on = subscribe.bind(null, root);
  let tries = 0;
  const openGuestChat = async (/** @type {any} */ options) => {
    // A failed import stays failed at its address.
    if (!root.MessengerGuest) await import(base + '/static/messenger-guest.js?' + ++tries);
    return root.MessengerGuest.open(base, options);
  };
  const api = Object.freeze({ version: '0.1.0', status, signIn, signOut, retry, openGuestChat, on, dispose });
  Object.defineProperty(root, 'MessengerAuth', { value: api });
  root.Genesys ||= function () {
    (root.Genesys.q ||= []).push(arguments);
  };
  // Afresh: the real one replaces the stub.
  root.Genesys('registerPlugin', 'AuthProvider', provider.register);
  void provider.check();
  return api;
}

if (typeof module === 'object' && module.exports) {
  module.exports = { offsetOf, backoff, boot, createBff, createRenewal, decodeJwt };
} else {
  boot(window, document.currentScript);
}
})();

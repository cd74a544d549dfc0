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

/** What became of it in time; null if nothing did. @param {Environment} env @param {Promise<any>} work */
const within = (env, work, limit = 0) =>
  new Promise((resolve) => {
    const timer = env.setTimeout(() => resolve(null), limit);
    work.catch(() => null).then((result) => {
      env.clearTimeout(timer);
      resolve(result);
    });
  });

// Words: what a person may read.

/** @type {any} */
const SENTENCES = {
  messenger_logout_failed: 'The chat is still signed in. Please close this page.',
  sign_in_denied: 'The sign-in was cancelled or refused. You can try again.',
  sign_in_failed: 'The sign-in did not work. You can try again.',
  sign_in_needed: 'Please sign in to continue the chat.',
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

// BFF client: what the page asks of our own server.

const ANSWER_LIMIT = 10_000;

const kindOf = (/** @type {number} */ status) => (status === 401 ? 'refused' : status === 429 || status > 499 ? 'unreachable' : 'wrong');

/** @param {Environment} env @param {(front: any) => Promise<any>} silent */
function createBff(env, base = '', silent) {
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
    call,
    /** @returns {Promise<Session>} */
    async session() {
      const steady = () => env.now() - env.drift();
      const sent = steady();
      const answer = await call('/auth/session');
      if (typeof answer.signed_in !== 'boolean') throw unreachable();
      // The middle of the request: by a clock that nobody sets meanwhile.
      return { ...answer, offset: answer.server_now_ms - env.now() + (steady() - sent) / 2 };
    },
    /** Never one that was handed out before. @returns {Promise<AuthData>} */
    async code(forceUpdate = false) {
      for (let tries = 2; tries--; ) {
        const sent = env.now();
        let answer = await call('/messenger/code', forceUpdate ? { forceUpdate } : {});
        if (answer.front_channel) answer = await silent(answer.front_channel); // by way of the provider
        const life = answer.expiresIn * SECOND;
        // The computer may have slept meanwhile.
        const old = life - (env.now() - sent) < Math.min(10_000, life / 2);
        if (old || !answer.authCode || !answer.redirectUri) continue;
        const { expiresIn, ...data } = answer;
        return data;
      }
      throw unreachable();
    },
  };
}

// Renewal: a new JWT just in time. None comes while the old one is valid; late is cheap.

const LEAD = 2_000;
const LATE = -1_000;
const SETTLE = 5_000;
const COMMAND_LIMIT = 20_000;
const TICK = 30_000;
const FLOOR = 10_000;
const MOST_ATTEMPTS = 4;
const MOST_OUTAGES = 20;
const MOST_FIRED = 70;
const FIRED_SPAN = 600_000;

/** @param {number[]} times */
const recent = (times, now = 0, span = 0) => times.filter((at) => at <= now && now - at < span);

const backoff = (n = 0, random = Math.random, floor = 0) => Math.max(floor || 0, 500 + random() * Math.min(MINUTE, 2 ** n * SECOND));

/** @param {any} jwt @returns {Claims | null} */
const decodeJwt = (jwt) =>
  attempt(() => {
    // Names come out garbled, the times do not.
    const { exp, iat } = JSON.parse(atob(jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return Number.isFinite(exp) ? { exp, iat: iat < exp ? iat : 0 } : null;
  });

/** Genesys' clock minus ours: an old `iat` says nothing. */
const offsetOf = ({ exp = 0, iat = 0 }, now = 0, fresh = false, saved = { exp: 0, offset: 0 }) =>
  saved.exp === exp ? +saved.offset || 0 : fresh && iat ? iat * SECOND - now : 0;

/** Undocumented. @param {any} error */
const isFatal = (error) => /^40[013]$/.test(error?.status) || /invalid_grant/.test(error?.message);

/** @param {Environment} env @param {RenewalNeeds} needs */
function createRenewal(env, needs) {
  let status = 'idle';
  let lead = LEAD;
  let attempts = 0;
  let outages = 0;
  let notBefore = 0;
  /** @type {Token | null} */ let token = null;
  /** @type {number[]} */ let fired = [];
  /** The request under way. @type {object | null} */ let flight = null;
  let drift = env.drift();
  const alarm = createAlarm(env);
  // The server's, as far as it is known: ours may be set.
  const clock = () => env.now() + (needs.serverOffset() || 0);
  const wasSet = () => Math.abs(env.drift() - drift) > LEAD;

  /** @param {string} next @param {Act} [then] */
  function move(next, then, delay = 0) {
    status = next;
    alarm(then, delay);
  }

  /** @param {Token} t */
  const dueAt = (t) => Math.max(t.deadline - Math.min(lead, t.life / 2), t.floor, notBefore);

  // Ticks notice a sleep; a hidden tab gets one timer, which is not throttled.
  function arm(next = 'scheduled') {
    if (!token) return move('idle');
    const delay = dueAt(token) - clock();
    if (needs.onDemand && next === 'scheduled' && delay > 0) return move(next);
    move(next, () => check(), env.visible() ? Math.min(delay, TICK) : delay);
  }

  /** `needed`: a socket wants a valid JWT, and this tab's Messenger may not know what another tab got. */
  function check(needed = false) {
    if (!token || flight || status === 'halted') return;
    const now = clock();
    const set = wasSet();
    const lent = needed && token.own < Math.min(now, token.deadline);
    if (!set && now < dueAt(token) && !lent) return arm(status);
    if (!env.visible()) return move('due-hidden');
    if (!env.online()) return move('offline');
    if (set) return void needs.ask(); // slept, or set: the server knows
    if (lent) token.own = Infinity; // once
    fire(now);
  }

  /** @param {number} now */
  function fire(now) {
    fired = recent(fired, now, FIRED_SPAN);
    if (fired.push(now) > MOST_FIRED) return halt('too_many_renewals');
    const early = !!token && now < token.deadline;
    const mine = (flight = {});
    const flying = () => mine === flight;
    const failed = (/** @type {any} */ error) => flying() && failure(error, early);
    move('refreshing', () => failed(null), COMMAND_LIMIT);
    // The event is the evidence, not this answer.
    needs.refresh(flying).then(() => flying() && move('refreshing', () => standstill(early), SETTLE), failed);
  }

  function standstill(early = false) {
    flight = null;
    if (early && lead > 0) {
      lead = LATE;
      arm('early');
    } else if (++attempts < MOST_ATTEMPTS) again(attempts);
    else halt('no_progress');
  }

  /** @param {any} error */
  function failure(error, early = false) {
    flight = null;
    if (!env.online()) return move('offline');
    // Before the end a refusal may only mean "too early".
    if (isFatal(error)) return early && lead > 0 ? standstill(early) : halt('refused');
    // No answer is no refusal: nobody is asked to sign in.
    if (++outages < MOST_OUTAGES) return again(outages, error?.retryAfter * SECOND);
    move('resting');
    needs.resting();
  }

  /** @param {number} n @param {number} [floor] */
  function again(n, floor) {
    notBefore = clock() + backoff(n, env.random, floor);
    arm('retrying');
  }

  /** @param {string} reason */
  function halt(reason) {
    move('halted');
    needs.halted(reason);
  }

  /** @param {Token} next */
  function take(next) {
    token = next;
    if (needs.saved()?.late) lead = LATE; // once for all tabs
    flight = null;
    attempts = outages = notBefore = 0;
    arm();
    return true;
  }

  return {
    status: () => status,
    /** The server's time is known again. */
    looked() {
      if (!wasSet()) return;
      drift = env.drift();
      check();
    },
    wake(needed = false, lent = needed) {
      if (status === 'resting') outages = notBefore = 0;
      if (needed || !needs.onDemand || status !== 'scheduled') check(lent);
    },
    /** Only a greater `exp` is progress. @param {Claims | null} claims */
    accept(claims, fresh = false) {
      if (!claims || (token && claims.exp <= token.exp)) return false;
      const { exp, iat } = claims;
      const now = clock();
      const saved = needs.saved();
      const offset = offsetOf(claims, now, fresh && !wasSet(), saved);
      if (fresh) needs.save({ exp, offset, late: saved?.late || lead < 0 });
      const deadline = exp * SECOND - offset;
      return take({ exp, deadline, own: deadline, life: iat ? (exp - iat) * SECOND : Infinity, floor: fresh ? now + FLOOR : 0 });
    },
    /** What another tab got. @param {any} record */
    borrow(record) {
      if (token && record?.exp > token.exp) {
        take({ ...token, exp: record.exp, deadline: record.exp * SECOND - record.offset, floor: 0 });
      }
    },
    reset() {
      token = flight = null;
      attempts = outages = notBefore = 0;
      move('idle');
    },
  };
}

// AuthProvider: the commands, and whose chat it is.

const LOGOUT_LIMIT = 2_500;
const WATCH = 10_000;
const LOAD_WATCH = 3_000;
const LOOP_SPAN = 300_000;
const CHECK_SPAN = 2_000;
const TABS_SETTLE = 50;
const MOST_CODES = 12;
const MOST_RECOVERIES = 5;
const UNKNOWN = '?';

/** Nothing secret. @param {Page} page @param {() => string} deployment */
function createMemory({ local }, deployment) {
  const key = (name = '') => `messenger-auth:${deployment()}:${name}`;
  /** @type {any} */ let owner = null; // if storage is blocked

  return {
    key,
    // An opaque tag: whose tokens Messenger holds.
    owner: () => local.get(key('person')) || owner,
    own: (/** @type {any} */ tag) => local.set(key('person'), (owner = tag)),
    clock: () => parse(local.get(key('clock'))) || undefined,
    saveClock: (/** @type {any} */ record) => local.set(key('clock'), JSON.stringify(record)),
    // Read only; its form is not promised.
    token: () => /eyJ[\w-]*\.[\w-]+\.[\w-]*/.exec(/** @type {any} */ (local.get(`_${deployment()}:gcatkn`)))?.[0],
  };
}

/** @param {Environment} env @param {Page} page @param {Settings} settings */
function createProvider(env, page, settings) {
  let deployment = settings.deployment || page.snippetDeployment() || '';
  let ready = false;
  let authenticated = false;
  let disposed = false;
  let down = false; // Messenger's socket
  let left = false; // Messenger has logged out
  let coded = false; // the next tokens are this person's
  let resting = ''; // halted or stuck: only a person goes on
  let missing = ''; // why no code came
  let recoveries = 0;
  let checkedAt = 0;
  let hiddenAt = 0;
  let settled = Promise.resolve();
  /** @type {Detail} */ let current = { state: 'loading', at: env.now(), deployment };
  /** @type {Bus | null} */ let bus = null;
  /** @type {Session | null} */ let session = null;
  /** @type {number[]} */ let codes = [];
  /** @type {Act | null} */ let closeEvents = null;
  /** @type {any} */ let checking;
  /** What only people need; loaded for them. @type {any} */ let desk;

  const watch = createAlarm(env);
  const recovery = createAlarm(env);
  const bff = createBff(env, settings.base, async (front) => (await people()).frontCode(front));
  const memory = createMemory(page, () => deployment);
  const renewal = createRenewal(env, {
    onDemand: settings.onDemand,
    refresh,
    saved: memory.clock,
    save: memory.saveClock,
    serverOffset: () => session?.offset,
    ask: check,
    halted: renewalHalted,
    resting: () => tell('unavailable', 'renewal_failed', unreachable()),
  });

  const person = () => (session?.signed_in && session.person) || null;
  const is = (/** @type {string[]} */ ...states) => states.includes(current.state);
  const closed = () => disposed || is('signing-out');
  const busy = () => closed() || desk?.leaving();
  const asking = () => desk?.asking();
  const nap = (delay = 0) => new Promise((then) => env.setTimeout(then, delay));

  /** @param {Problem} [trouble] */
  function tell(state = '', reason = '', trouble) {
    if (disposed) return;
    const { code, message } = trouble || {};
    const name = person() ? session?.name : undefined;
    current = Object.freeze({ state, reason, at: env.now(), code, message, name, deployment });
    page.emit(current);
  }

  /** @param {string} name @returns {Promise<any>} */
  async function command(name) {
    if (!bus || !ready) throw unreachable();
    return bus.command(name, {});
  }

  /** Who had to wait hears meanwhile what became of it. @param {string} name @param {() => any} work */
  const alone = (name, work) => page.lock(memory.key(name), () => nap(TABS_SETTLE).then(work));

  // One tab asks, the others hear of it by a storage event: nothing is read under the lock,
  // and who was answered keeps it until they have heard.
  /** @param {() => boolean} wanted */
  function refresh(wanted) {
    return new Promise((resolve, reject) => {
      void alone('renewal', () => {
        if (!wanted()) return;
        const work = command('Auth.refreshToken');
        work.then(resolve, reject);
        return within(env, work.then(() => nap(SECOND)), COMMAND_LIMIT);
      });
    });
  }

  /** Until somebody does something. */
  function rest(state = '', reason = '') {
    if (resting) return;
    resting = state;
    people().then((room) => room.rest(state, reason, missing), () => {});
  }

  function expectTokens(delay = 0, tries = 1, giveUp = () => rest('stuck', 'no_tokens')) {
    watch(() => {
      if (tries <= 0) return asking() || is('unavailable', 'signed-out', 'halted') || giveUp();
      // Genesys does not answer: later, and no question to anybody.
      command('Auth.getTokens').catch((error) => kindOf(error?.status) === 'unreachable' && unavailable(unreachable()));
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
    resting = '';
    desk?.abort();
  }

  // A fresh silent code once, then one prompt.
  /** @param {string} reason */
  function renewalHalted(reason) {
    authenticated = false;
    expectTokens(0, 1, () => rest('halted', reason));
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
      .then(() => ((checking = null), renewal.looked(), settle()));
    return checking;
  }

  const settle = () => (settled = settled.then(settleNow));

  async function settleNow() {
    const known = session && ready && deployment;
    const changed = known && !busy() && (await guardIdentity());
    if (busy()) return;
    if (session && !person()) {
      if (!asking() && !is('halted', 'sign-in-failed', 'signed-out')) tell('signed-out', 'no_session');
    } else if (!authenticated) becomeAuthenticated(changed ? 0 : LOAD_WATCH);
    else if (!is('authenticated') || current.name !== session?.name) tell('authenticated', 'session');
    openEvents();
  }

  /** @returns {Promise<boolean | void>} */
  async function guardIdentity() {
    const whose = memory.owner() || (memory.token() && UNKNOWN);
    if (!whose || whose === person()) return;
    if (whose === UNKNOWN && authenticated && person()) return memory.own(person());
    // Else words of one person would go out in the name of another.
    if (!(await leaveMessenger()) && !(await leaveMessenger()) && person()) rest('stuck', 'no_logout');
    return true;
  }

  function becomeAuthenticated(delay = 0) {
    if (resting) return;
    if (session && !asking() && !is('signed-in')) tell('signed-in', 'session');
    if (!ready || !deployment || checking) return;
    // With the BFF out of reach a known chat goes on.
    if (memory.owner() && renewal.accept(decodeJwt(memory.token()), false)) {
      authenticated = true;
      tell('authenticated', 'restored');
    } else if (session) expectTokens(delay);
  }

  // The bus has no time-out.
  async function leaveMessenger() {
    watch();
    left = false;
    const logout = () => left || within(env, command('Auth.logout').then(() => true), LOGOUT_LIMIT);
    const done = await within(env, alone('logout', logout), LOGOUT_LIMIT); // of two at once one would fail
    forgetTokens();
    if (done) memory.own(null); // else at the next load
    return done;
  }

  function forgetTokens() {
    renewal.reset();
    authenticated = coded = false;
  }

  function loggedOut() {
    left = true;
    forgetTokens();
    memory.own(null);
    if (is('authenticated')) tell('signed-in', 'messenger_logged_out');
  }

  function openEvents() {
    if (closeEvents || !person()) return;
    closeEvents = page.listen(settings.base + '/auth/events', { session: heard, session_ended: ended }, () => {
      closeEvents = null; // 204 or an error: ask first
      recoverLater();
    });
  }

  function shutEvents() {
    closeEvents?.();
    closeEvents = null;
  }

  /** @param {any} news */
  function heard({ person: seen }) {
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

  // Another tab: a newer JWT, or another person. @param {any} value
  function stored(key = '', value = '') {
    if (key === memory.key('clock')) renewal.borrow(parse(value));
    else if (key === memory.key('person') && value !== person() && !closed()) void check();
  }

  // A person.

  async function people() {
    const room = desk || (await within(env, page.load('Person', 'person'), ANSWER_LIMIT));
    if (!room) throw noted(unreachable());
    return (desk ??= room.create(core));
  }

  // The click is over when the room is there.
  const act = (/** @type {string} */ name) => async (/** @type {any} */ choice) => {
    const activated = env.activated();
    return (await people())[name](choice, activated);
  };
  const pressed = (/** @type {string} */ name) => (/** @type {any} */ choice = {}) => act(name)(choice).catch(() => {});

  // The commands: promises, so they settle once.

  async function freshCode(forceUpdate = false) {
    if (closed()) throw signedOut();
    codes = recent(codes, env.now(), LOOP_SPAN);
    if (codes.push(env.now()) > MOST_CODES) {
      rest('halted', 'loop');
      throw problem('sign_in_loop', 'refused');
    }
    const data = await bff.code(forceUpdate);
    if (closed()) throw signedOut();
    coded = true;
    missing = '';
    if (!person()) void check();
    return data;
  }

  /** @param {Problem} trouble */
  function noted(trouble) {
    if (trouble.kind === 'unreachable') unavailable(trouble);
    else if (trouble.kind === 'wrong' && !resting) tell((resting = 'halted'), 'refused', trouble);
    return trouble;
  }

  const getAuthCode = (/** @type {any} */ data) =>
    data.forceUpdate
      ? act('forcedCode')(data)
      : freshCode().catch((trouble) => {
          authenticated = false;
          missing = trouble.reason || missing;
          if (trouble.reason) rest('halted', 'no_tokens');
          else if (trouble.kind === 'refused' && ++recoveries <= MOST_RECOVERIES) void check();
          throw noted(trouble);
        });

  /** @param {(data: any) => Promise<AuthData>} work */
  const answering = (work) => (/** @type {any} */ e) =>
    void work(e.data || {}).then((data) => e.resolve(data), ({ code, message }) => e.reject?.({ code, message }));

  function forgive() {
    resting = '';
    recoveries = 0;
    codes = [];
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
    bus.registerCommand('reAuthenticate', answering(act('reAuthenticate')));
    bus.registerCommand('signIn', answering(act('stepUp')));
    bus.subscribe('GenesysJS.configurationReceived', ({ data }) =>
      learnDeployment(data.snippetConfig?.deploymentId || data.deploymentConfig?.id),
    );
    bus.subscribe('Auth.authenticated', tokensCame);
    bus.subscribe('Auth.loggedOut', loggedOut);
    bus.subscribe('Auth.ready', () => {
      ready = true;
      void settle();
    });
    ['offline', 'reconnecting', 'reconnected', 'started'].forEach((event, place) =>
      given.subscribe('MessagingService.' + event, () => {
        down = place < 2;
        rouse();
      }),
    );
    bus.ready();
  }

  // A new socket needs a valid JWT; often the Messenger knows what another tab got.
  function rouse() {
    renewal.wake(down, false);
    if (down) env.setTimeout(() => down && renewal.wake(true), LEAD);
  }

  // Persisted: out of the back-forward cache.
  function wake(persisted = false) {
    const now = env.now();
    if (!env.visible()) hiddenAt ||= now;
    else {
      const away = hiddenAt && now - hiddenAt > TICK;
      hiddenAt = 0;
      if (persisted) desk?.comeBack();
      const lost = (!person() || is('unavailable')) && now - checkedAt > CHECK_SPAN;
      // Whose chat is it by now? Only then is anything sent.
      if ((persisted || away || lost) && env.online()) return void check().then(rouse);
    }
    rouse();
  }

  function dispose() {
    disposed = true;
    shutEvents();
    renewal.reset();
    desk?.abort();
    watch();
    recovery();
  }

  const look = () => ({ session, authenticated, resting, closed: closed() });
  const core = {
    ...{ env, bff, page, settings, memory, tell, look, check, command, freshCode, expectTokens, rest, problem, noted },
    forget: () => void (session = { signed_in: false }),
    ...{ forgive, forgetTokens, leaveMessenger, openEvents, shutEvents },
    publish: (/** @type {[string, any]} */ ...event) => bus?.publish(...event),
  };

  if (settings.failure) tell('sign-in-failed', 'returned', problem(settings.failure));

  return {
    ...{ check, register, wake, stored, dispose },
    deployment: () => deployment,
    api: {
      status: () => Object.freeze({ ...current, renewal: renewal.status() }),
      signIn: pressed('signIn'),
      signOut: pressed('signOut'),
      retry: pressed('retry'),
    },
  };
}

// Front door: the only room that knows `window`.

const EVENT = 'messenger-auth';
const FAILURE = /[#&]messenger-auth-error=([\w-]{1,60})/;
const LOCK_LIMIT = 5_000;

/** Where it is blocked, even the getter throws. @param {any} root @returns {Shelf} */
const shelf = (root, kind = '') => ({
  get: (key) => attempt(() => root[kind].getItem(key)),
  set: (key, value) => attempt(() => (value ? root[kind].setItem(key, value) : root[kind].removeItem(key))),
});

/** @param {any} root @returns {Environment} */
const environmentOf = (root) => ({
  now: () => root.Date.now(),
  drift: () => root.Date.now() - root.performance.now(),
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
  return found?.[1];
}

/** @param {any} root @returns {Page['listen']} */
const listenWith = (root) => (url, hears, closed) => {
  const source = new root.EventSource(url, { withCredentials: true });
  for (const event in hears) {
    source.addEventListener(event, (/** @type {any} */ e) => hears[event](parse(e.data) || {}));
  }
  source.onerror = () => source.readyState === 2 && closed(); // 2: for good
  return () => source.close();
};

/** A holder may be frozen: after a while it goes on without, and steals nobody's. @param {any} root @param {Environment} env @returns {Page['lock']} */
const lockWith = (root, env) => (name, work) => {
  const { locks } = root.navigator;
  if (!locks) return work();
  const limit = new AbortController();
  const timer = env.setTimeout(() => limit.abort(), LOCK_LIMIT);
  /** @type {any} */ let done;
  const once = () => {
    env.clearTimeout(timer);
    return (done ??= work());
  };
  return locks.request(name, limit, once).catch(once);
};

/** A failed import stays failed at its address. @param {any} root @returns {Page['load']} */
const loadWith = (root, base = '', tries = 0) => async (name, file) => {
  if (!root['Messenger' + name]) await import(base + `/static/messenger-${file}.js?` + ++tries);
  return root['Messenger' + name];
};

/** @param {any} root @param {Environment} env @returns {Page} */
function pageOf(root, env, base = '', genesys = '', debug = false) {
  const { location } = root;
  return {
    local: shelf(root, 'localStorage'),
    tab: shelf(root, 'sessionStorage'),
    origin: location.origin,
    snippetDeployment: () => root[genesys]?.c?.deploymentId,
    returnTo: () => plainPath(location),
    reload: () => location.reload(),
    go: (url) => url?.match(/^https?:/) && location.assign(url), // never javascript:
    emit(detail) {
      const { state, reason, code } = detail;
      if (debug) root.console.debug(EVENT, state, reason, code);
      root.dispatchEvent(new root.CustomEvent(EVENT, { detail }));
    },
    listen: listenWith(root),
    lock: lockWith(root, env),
    load: loadWith(root, base),
  };
}

/** @param {any} root @param {() => string} deployment */
const subscribeWith = (root, deployment) => (/** @type {string} */ event, /** @type {(detail: Detail) => void} */ hear) => {
  const off = new AbortController();
  const filtered = (/** @type {any} */ { detail }) =>
    detail.deployment === deployment() && (event === '*' || event === detail.state) && hear(detail);
  root.addEventListener(EVENT, filtered, off);
  return () => off.abort();
};

/** @param {any} root @param {ReturnType<typeof createProvider>} provider @param {AbortSignal} signal */
function wakeOn(root, provider, signal) {
  for (const name of ['visibilitychange', 'resume', 'pageshow', 'focus', 'online']) {
    // Captured: the document's events too, but not each field's focus.
    root.addEventListener(name, (/** @type {any} */ e) => provider.wake(e.persisted), { signal, capture: name !== 'focus' });
  }
  root.addEventListener('storage', (/** @type {any} */ e) => provider.stored(e.key, e.newValue), { signal });
}

/** @param {any} root @param {any} script @param {MessengerAuthApi['of']} of @returns {MessengerAuthApi} */
function createApi(root, script, of) {
  const { deployment, provider: name, surface = 'redirect', renewal, dialog, global = 'Genesys', debug } = script.dataset;
  const base = new URL('..', script.src).href.slice(0, -1);
  const env = environmentOf(root);
  const page = pageOf(root, env, base, global, debug !== undefined || /[?&]debug\b/.test(script.src));
  const brand = {};
  const onDemand = renewal === 'on-demand';
  const provider = createProvider(env, page, { base, deployment, provider: name, surface, dialog, brand, onDemand, failure: takeFailure(root) });
  const off = new AbortController();
  wakeOn(root, provider, off.signal);
  if (page.tab.get('messenger-auth:drafts')) page.load('SignIn', 'sign-in').then((room) => room.restoreDrafts(), () => {});
  // Afresh: the real one replaces the stub.
  root[global] ||= function () {
    (root[global].q ||= []).push(arguments);
  };
  root[global]('registerPlugin', 'AuthProvider', provider.register);
  void provider.check();
  return Object.freeze({
    version: '0.2.0',
    get deployment() {
      return provider.deployment();
    },
    ...provider.api,
    of,
    on: subscribeWith(root, provider.deployment),
    use: (/** @type {Brand} */ more) => void Object.assign(brand, more),
    openGuestChat: async (/** @type {GuestOptions} */ options) => (await page.load('Guest', 'guest')).open(base, options),
    dispose() {
      off.abort();
      provider.dispose();
    },
  });
}

/** One for each deployment. @param {any} root @param {any} script the element that loaded us @returns {MessengerAuthApi} */
function boot(root, script) {
  const first = root.MessengerAuth;
  const known = first?.of(script.dataset.deployment);
  if (known) return known; // loaded twice
  /** @type {MessengerAuthApi[]} */ const all = first ? first.of.all : [];
  const of = Object.assign((/** @type {string=} */ id) => all.find((api) => !id || api.deployment === id), { all });
  const api = createApi(root, script, of);
  all.push(api);
  return first ? api : Object.defineProperty(root, 'MessengerAuth', { value: api }).MessengerAuth;
}

if (typeof module === 'object' && module.exports) {
  module.exports = { offsetOf, backoff, boot, createBff, createRenewal, decodeJwt };
} else {
  boot(window, document.currentScript);
}
})();

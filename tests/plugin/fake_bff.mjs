// Our own server as the page sees it: sessions, single-use codes, pushes, and faults on command.

const LATENCY = 20;

/** @param {ReturnType<import('./virtual_clock.mjs').createClock>} clock */
export function createBff(clock, base = 'http://auth.brand.localhost:8002') {
  const timers = clock.timersOf('bff');
  /** Every request, in order. */
  const requests = [];
  /** path -> a list of faults, used up one by one; `{always: fault}` stays. */
  const faults = {};
  const codes = new Map();
  const sources = new Set();
  let session = null;
  let count = 0;
  let logoutUrl = null;

  const person = () => session && session.person;

  function sessionAnswer() {
    const common = { login_url: `${base}/auth/login`, server_now_ms: clock.now() };
    return session ? { signed_in: true, ...session, ...common } : { signed_in: false, ...common };
  }

  function codeAnswer() {
    if (!session) return refusal(401, 'login_required');
    const authCode = `code-${++count}`;
    codes.set(authCode, { person: person(), at: clock.now(), used: 0 });
    return answer(200, {
      authCode,
      redirectUri: `${base}/messenger/callback`,
      codeVerifier: `verifier-${count}`,
      nonce: `nonce-${count}`,
      iss: `${base}/op`,
      expiresIn: 60,
    });
  }

  function logoutAnswer() {
    session = null;
    return answer(200, { logout_url: logoutUrl });
  }

  const answer = (status, body, headers = {}) => ({ status, body, headers });
  const refusal = (status, code, headers) => answer(status, { code, message: `Sentence of ${code}.` }, headers);

  function route(path, options) {
    const method = options.method || 'GET';
    requests.push({ method, path, at: clock.now(), body: options.body && JSON.parse(options.body), options });
    if (method === 'POST' && options.headers['X-CSRF'] !== '1') return refusal(403, 'csrf_header_missing');
    const doors = {
      'GET /auth/session': () => answer(200, sessionAnswer()),
      'POST /messenger/code': codeAnswer,
      'POST /auth/logout': logoutAnswer,
    };
    return doors[`${method} ${path}`]();
  }

  function faultFor(path) {
    const planned = faults[path];
    if (!planned) return null;
    return planned.always || planned.shift() || null;
  }

  /** What `window.fetch` is in the tests. */
  function fetch(url, options) {
    const path = url.slice(base.length);
    return new Promise((resolve, reject) => {
      options.signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      const fault = faultFor(path);
      if (fault === 'hang') return void requests.push({ method: options.method || 'GET', path, at: clock.now() });
      const oneWay = (fault?.latency ?? LATENCY) / 2;
      timers.setTimeout(() => {
        if (fault === 'network') {
          requests.push({ method: options.method || 'GET', path, at: clock.now() });
          return reject(new TypeError('Failed to fetch'));
        }
        const { status, body, headers } = fault ? (route(path, options), fault) : route(path, options);
        const arrived = {
          ok: status >= 200 && status < 300,
          status,
          headers: { get: (name) => headers?.[name] ?? null },
          json: async () => (typeof body === 'string' ? JSON.parse(body) : body),
        };
        timers.setTimeout(() => resolve(arrived), oneWay);
      }, oneWay);
    });
  }

  class EventSource {
    constructor(url, options) {
      this.url = url;
      this.withCredentials = options.withCredentials;
      this.readyState = 0;
      this.listeners = {};
      this.onerror = null;
      sources.add(this);
      timers.setTimeout(() => this.open(), LATENCY);
    }
    addEventListener(event, hear) {
      this.listeners[event] = hear;
    }
    open() {
      if (this.readyState === 2) return;
      if (!session) return this.fail();
      this.readyState = 1;
      this.say('session', { signed_in: true, person: person() });
    }
    fail() {
      this.readyState = 2;
      sources.delete(this);
      this.onerror?.();
    }
    say(event, data) {
      if (this.readyState !== 2) this.listeners[event]?.({ data: JSON.stringify(data) });
    }
    close() {
      this.readyState = 2;
      sources.delete(this);
    }
  }

  return {
    base,
    fetch,
    faults,
    requests,
    sources,
    EventSource,
    answer,
    refusal,
    signIn: (who = 'anna') => void (session = { person: `tag-${who}`, name: who, email: `${who}@example.test` }),
    forget: () => void (session = null),
    setLogoutUrl: (url) => void (logoutUrl = url),
    signedIn: () => session !== null,
    count: (path) => requests.filter((request) => request.path === path).length,
    /** The session ends: every open page is told. */
    end(reason = 'revoked') {
      session = null;
      for (const source of [...sources]) source.say('session_ended', { reason });
    },
    /** Genesys redeems a code: once, and in time. */
    redeem(code) {
      const entry = codes.get(code);
      if (!entry) return null;
      entry.used += 1;
      return entry.used === 1 && clock.now() - entry.at <= 60_000 ? entry.person : null;
    },
    codes,
  };
}

// @ts-check
/*!
 * The recorder of the flow inspector: see docs/inspector.md.
 * It looks on and changes nothing; no token, code, name or address of a person leaves the page.
 */
(() => {
'use strict';

/** @typedef {Record<string, any>} Facts */
/** @typedef {{ t: number, step: string, facts: Facts, waiting: number }} Seen */

const SECOND = 1_000;
const PAUSE = 400;
const MOST_KEPT = 500;
const MOST_SENT = 80;
const CALM = 3 * SECOND;
const CHECK = 15 * SECOND;
const TICK = 5 * SECOND;
const SLEPT = 75 * SECOND;
const LONGEST_PAUSE = 30 * SECOND;
const MARK = 'messenger-inspector:';

/** Nothing in here may hurt the page. @param {() => any} act */
const attempt = (act) => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

// Prints: a secret is known again by what cannot be turned back into it.

/** @param {any} root @param {string} text */
async function sha256(root, text) {
  const bytes = await root.crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {any} jwt */
const lifeOf = (jwt) =>
  attempt(() => {
    const { exp, iat } = JSON.parse(atob(jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return { exp, iat };
  }) || {};

// What a text may say: the same rules as in bff/inspector/redaction.py, which looks once more.

const HIDDEN = '…';
const MOST_TEXT = 120;
const isSecretWord =
  /^(codes?|state|totp|pin|puk|tan|sid|nonce|key|auth|sig|sub|hint|ticket|jti|pwd|pass|mail|phone|tel|mobile|user|username|login|cookie|bearer|cvv|cvc|iban|ssn|device|challenge|signature|csrf|xsrf|saml|pw|hmac|nickname|dob|upn)$/;
const hasSecretPart =
  /token|secret|passw|passphrase|passcode|passkey|apikey|privatekey|credential|session|sessid|dpop|verifier|otp|jwt|email|assertion|authoriz|onetime|givenname|familyname|firstname|lastname|fullname|birth|kennwort|contrase|senha|motdepasse|código|codigo|codice|wachtwoord/;
const whateverItSays = /secret|pass|pwd|pw$|otp|pin|puk|tan|name|birth|kennwort|contrase|senha|wachtwoord/i;
const aboutCodes = /code|código|codigo|codice|otp|\bpin\b|\btan\b|one.?time|verif|2fa|mfa|\bsms\b/i;
const knownWords =
  /^(access|account|answer|attempt|attributes|authenticated|at|connections|consent|credentials|denied|ended|error|expired|failed|genesys|in|incomplete|interaction|internal|invalid|large|leaves|led|limited|logged|login|logout|many|messenger|mismatch|missing|mode|needed|never|nowhere|offline|online|outcome|out|permission|person|provider|rate|ready|reauthenticate|recording|redirect|refresh|refused|request|required|scope|selection|server|service|session|sign|signed|signing|state|store|supported|tabs|temporarily|together|token|too|unavailable|unknown|unsupported|untold|uri|without|wrong|client|grant|response|type|unauthorized)([_-]|$)/;
const knownEvent =
  /^(Auth|AuthProvider|MessagingService|Messenger|GenesysJS|Launcher|Conversations|Database|Journey|Identifiers|Toaster|MobileMessenger|BusPlugin|CobrowseService|Offersend|EngageContentOffer)(\.[A-Za-z]{1,32}){1,2}$/;
const allowedDigits = /^((rfc|status|closed?) \d{4}|\d{4,7} ?(ms|bytes|kb))$/i;
const DIGITS =
  /(?:\b(?:rfc|status|closed?) \d{4}\b|\b\d{4,7} ?(?:ms|bytes|kb)\b)|(?:\b[a-z]{1,3}-)?(?:\d{4,19}|\d(?:[ -]\d){3,9}|\d{2,4}[ -]\d{2,4}(?:[ -]\d{2,4})?)(?!\w)/gi;
const LOOKS = [
  DIGITS,
  /\+?\d[\d\s().-]{7,}\d/g,
  /(?=[a-z_~+/=-]*\d)(?=[\d_~+/=-]*[a-z])[\w~+/=-]{10,}/gi,
  /[\w.~+/=%-]{20,}/g,
];
const LOOKS_OF_CODES = [/\b(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[a-z\d_-]{4,12}(?!\w)/gi, /\b[A-Z]{4,12}(?!\w)/g];

/** Take off every layer of percent signs and entities. @param {string} text @returns {string} */
function decoded(text) {
  const plain = text
    .replace(/(?:%|\\u00|\\x|&#x)([2-7][0-9a-f]);?/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/&#(3[2-9]|[4-9]\d|1[01]\d|12[0-6]);/g, (_, number) => String.fromCharCode(number))
    .replace(/[\u00ad\u200b-\u200f\u2060\ufeff]/g, '')
    .split(HIDDEN)
    .map((part) => part.normalize('NFKC'))
    .join(HIDDEN);
  return plain === text ? plain : decoded(plain);
}

const isKnown = (/** @type {string} */ text) =>
  knownEvent.test(text) || text.split(/[_-]/).every((word) => knownWords.test(word + '_'));

const unlessKnown = (/** @type {string} */ text) => (allowedDigits.test(text) || isKnown(text) ? text : HIDDEN);

function isSecret(/** @type {string} */ name) {
  const words = (name.match(/[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[^\x00-\x7f]+/g) ?? []).map((word) => word.toLowerCase());
  return words.some((word) => isSecretWord.test(word)) || hasSecretPart.test(words.join(''));
}

/** How much of `rest` is the value of `name`. @param {string} name @param {string} rest */
function valueOf(name, rest) {
  if (/^[[{]/.test(rest)) return rest;
  const quoted = /^\\*(["'])(?:\\[^]|(?!\1)[^])*\1?/.exec(rest);
  // A pass phrase has blanks in it, and a header of several pairs ends with its line.
  const whole = /cookie2?$|authorization$/i.test(name)
    ? /^[^\n]*/
    : whateverItSays.test(name)
      ? /^[^&;,\n]*/
      : /^(?:(?:bearer|basic|digest|dpop)\s+)?[^\s&;,"'<>)\]}]*/i;
  return (quoted ?? /** @type {RegExpExecArray} */ (whole.exec(rest)))[0];
}

function mayStay(/** @type {string} */ name, /** @type {string} */ value, /** @type {boolean} */ spoken) {
  if (whateverItSays.test(name)) return false;
  const word = value.replace(/^[\\"'.]+|[\\"'.]+$/g, '');
  return isKnown(word) || (spoken && /^[a-z]+$/.test(word));
}

/** Hide the value behind each name of a secret. @param {string} text */
function withoutNamed(text) {
  const named = /([\p{L}][\p{L}\d_.-]*)["'\\\])]*(?:\s*(?:=>|[=:])\s*|(\s+(?:is|was|ist|lautet)\s+))/gu;
  let kept = '';
  let place = 0;
  for (let found = named.exec(text); found; found = named.exec(text)) {
    kept += text.slice(place, named.lastIndex);
    place = named.lastIndex;
    if (!isSecret(found[1])) continue;
    const value = valueOf(found[1], text.slice(place));
    kept += mayStay(found[1], value, found[2] !== undefined) ? value : HIDDEN;
    named.lastIndex = place += value.length;
  }
  return kept + text.slice(place);
}

/** @param {string} text */
function withoutSecrets(text) {
  let plain = text.slice(0, MOST_TEXT * 4);
  // What is cut in two is known by neither half.
  if (plain !== text) plain = plain.replace(/\S*$/, HIDDEN);
  plain = decoded(plain)
    .replace(
      /\S+(?:@|&commat;?|\s?[[({]at[\])}]\s?)\S+|\S+\sat\s\S+(?:\sdot\s|\s?[[(]dot[\])]\s?)[a-z]{2,}\b/gi,
      HIDDEN,
    )
    .replace(/\S*:\/\/\S*|[?#]\S*=\S*/g, HIDDEN)
    .replace(/\b(bearer|basic|digest|dpop)\s+[^\s,;"']+/gi, '$1 ' + HIDDEN);
  plain = withoutNamed(plain);
  for (const look of aboutCodes.test(plain) ? [...LOOKS, ...LOOKS_OF_CODES] : LOOKS) plain = plain.replace(look, unlessKnown);
  return plain.slice(0, MOST_TEXT);
}

/** What an error says; `note` takes the secrets out. */
const wordsOf = (/** @type {any} */ error) => String(error?.message ?? (typeof error === 'string' ? error : ''));

const AUTH_DATA = ['authCode', 'idToken', 'redirectUri', 'codeVerifier', 'nonce', 'maxAge', 'iss'];
const shapeOf = (/** @type {any} */ data) => AUTH_DATA.filter((name) => data?.[name] != null).join(',') || 'nothing';

// The post: events wait here until the BFF has them; it may be away.

/** @param {any} root @param {string} base */
function createPost(root, base) {
  const later = root.setTimeout.bind(root);
  const send = root.fetch.bind(root);
  const tab = tabName(root);
  /** @type {Seen[]} */ let kept = takeLeft(root);
  /** @type {Seen[]} */ let underWay = [];
  let salt = '';
  let lost = 0;
  let number = Math.floor(root.Math.random() * 1e9) * 1000; // of an event: an answer may be lost
  let sending = false;
  let closed = false;
  let planned = false;
  let pause = PAUSE;
  /** @type {(salt: string) => void} */ let salted;
  /** @type {Promise<string>} */ const saltKnown = new Promise((resolve) => (salted = resolve));

  const call = (/** @type {string} */ door, /** @type {object} */ body) =>
    send(base + '/inspector/' + door, {
      method: 'POST',
      credentials: 'include',
      keepalive: true,
      headers: { 'Content-Type': 'application/json', 'X-CSRF': '1' },
      body: JSON.stringify(body),
    });

  const refused = (/** @type {any} */ answer) => answer.status === 403 || answer.status === 404;

  function close() {
    closed = true;
    kept = [];
    attempt(() => root.localStorage.removeItem(MARK + 'on'));
  }

  /** @param {string} [key] @returns {Promise<void>} */
  async function begin(key) {
    try {
      const answer = await call('start', key ? { key } : {});
      if (refused(answer)) return key ? begin() : close();
      if (!answer.ok) throw new Error('later');
      salt = (await answer.json()).salt;
      attempt(() => root.localStorage.setItem(MARK + 'on', '1'));
      salted(salt);
      plan();
    } catch {
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      later(() => closed || begin(key), pause);
    }
  }

  /** @param {string} secret */
  async function printOf(secret) {
    const mark = await sha256(root, MARK + secret);
    return (await sha256(root, (await saltKnown) + mark)).slice(0, 8);
  }

  function plan(delay = pause) {
    if (planned || closed || !kept.length) return;
    planned = true;
    later(() => {
      planned = false;
      void flush();
    }, delay);
  }

  function batch(leaving = false) {
    const left = kept.filter((one) => !underWay.includes(one));
    const ready = leaving ? -1 : left.findIndex((one) => one.waiting > 0);
    return left.slice(0, Math.min(ready < 0 ? left.length : ready, MOST_SENT));
  }

  async function flush(leaving = false) {
    const sent = batch(leaving);
    if (closed || !salt || (sending && !leaving) || !sent.length) return;
    sending = true;
    underWay = [...underWay, ...sent];
    if (lost) sent.unshift({ t: root.Date.now(), step: 'events_lost', facts: { count: lost }, waiting: 0 });
    const events = sent.map(({ t, step, facts }) => ({ t, step, facts }));
    try {
      const gone = call('events', { tab, sent: root.Date.now(), events });
      const answer = await gone;
      if (refused(answer)) return close();
      if (!answer.ok) throw new Error('later');
      kept = kept.filter((one) => !sent.includes(one));
      lost = 0;
      pause = PAUSE;
    } catch {
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    } finally {
      underWay = underWay.filter((one) => !sent.includes(one));
      sending = false;
      plan();
    }
  }

  /** @param {string} step @param {Facts} [facts] @param {Record<string, any>} [secrets] */
  function note(step, facts = {}, secrets = {}) {
    if (closed) return;
    /** @type {Seen} */ const one = { t: root.Date.now(), step, facts, waiting: 0 };
    for (const name of Object.keys(facts)) if (typeof facts[name] === 'string') facts[name] = withoutSecrets(facts[name]);
    facts.n = number += 1;
    for (const [name, secret] of Object.entries(secrets)) {
      if (typeof secret !== 'string' || !secret) continue;
      one.waiting += 1;
      printOf(secret)
        .then((print) => void (facts[name] = print), () => {})
        .then(() => ((one.waiting -= 1), plan()));
    }
    if (kept.push(one) > MOST_KEPT) {
      kept.shift();
      lost += 1;
    }
    plan();
  }

  return {
    begin,
    /** Not every browser sends what a page sends while it goes: the next page sends it again. */
    leave() {
      void flush(true);
      const left = JSON.stringify(kept.slice(-2 * MOST_SENT).map(({ t, step, facts }) => ({ t, step, facts, waiting: 0 })));
      attempt(() => closed || root.sessionStorage.setItem(MARK + 'left', left));
    },
    going: () => !closed,
    waiting: () => kept.length,
    note: (/** @type {any[]} */ ...all) => void attempt(() => note(.../** @type {[string]} */ (all))),
    stop() {
      close();
      return call('stop', {}).catch(() => {});
    },
  };
}

/** @param {any} root @returns {Seen[]} */
const takeLeft = (root) =>
  attempt(() => {
    const left = root.sessionStorage.getItem(MARK + 'left');
    root.sessionStorage.removeItem(MARK + 'left');
    return JSON.parse(left);
  }) || [];

/** A tab keeps its lane over reloads. @param {any} root */
function tabName(root) {
  const known = attempt(() => root.sessionStorage.getItem(MARK + 'tab'));
  if (/^[0-9a-f]{8}$/.test(known)) return known;
  const fresh = [...root.crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  attempt(() => root.sessionStorage.setItem(MARK + 'tab', fresh));
  return fresh;
}

// The plugin: it stands behind glass. What it does is seen, and passed on as it is.

/** @typedef {ReturnType<typeof createPost>} Post */

/** @param {any} root @param {Post} post */
function createGlass(root, post) {
  const known = { provider: false, provider_ready: false };
  /** @type {string[]} */ const running = [];
  const ours = new WeakSet();
  /** @type {Map<number, string>} */ const open = new Map();
  let calls = Math.floor(root.Math.random() * 1e9) * 1000;

  /** @param {any} target @param {Record<string, (original: any) => any>} instead */
  function behind(target, instead) {
    const cache = new Map();
    return new Proxy(target, {
      get(real, name) {
        const value = Reflect.get(real, name, real);
        const fixed = Reflect.getOwnPropertyDescriptor(real, name);
        // A property that cannot change must be shown as it is.
        if (typeof value !== 'function' || (fixed && !fixed.configurable && !fixed.writable)) return value;
        if (!cache.has(name)) {
          const own = typeof name === 'string' && Object.hasOwn(instead, name) ? instead[name](value) : value;
          cache.set(name, (/** @type {any[]} */ ...args) => Reflect.apply(own, real, args));
        }
        return cache.get(name);
      },
    });
  }

  /** @param {number} call @param {string} name @param {string} how */
  const settling = (call, name, how, times = { count: 0 }) => (/** @type {any} */ original) =>
    function (/** @type {any[]} */ ...args) {
      const [value] = args;
      open.delete(call);
      const facts = how === 'resolved' ? { shape: shapeOf(value) } : { message: wordsOf(value) };
      const code = attempt(() => value?.authCode ?? value?.idToken);
      post.note('command_settled', { name, call, how, times: (times.count += 1), ...facts }, { code });
      // @ts-expect-error the bus decides what `this` is
      return Reflect.apply(original, this, args);
    };

  /** @param {string} name @param {any} handler */
  const watched = (name, handler) =>
    function (/** @type {any[]} */ ...args) {
      const call = (calls += 1);
      const times = { count: 0 };
      const [asked] = args;
      open.set(call, name);
      post.note('command_called', { name, call, force: attempt(() => asked.data?.forceUpdate) === true });
      const seen = attempt(() =>
        behind(asked, {
          resolve: settling(call, name, 'resolved', times),
          reject: settling(call, name, 'rejected', times),
        }),
      );
      running.push(name);
      try {
        // @ts-expect-error the bus decides what `this` is
        return Reflect.apply(handler, this, [seen ?? asked, ...args.slice(1)]);
      } finally {
        running.pop();
      }
    };

  const outer = () => running.at(-1) || (known.provider_ready && [...open.values()].at(-1)) || '';

  /** @param {any} plugin */
  const shown = (plugin) =>
    behind(plugin, {
      registerCommand: (original) =>
        function (/** @type {any} */ name, /** @type {any} */ handler, /** @type {any[]} */ ...rest) {
          post.note('command_registered', { name: String(name), inside: outer() });
          const glass = typeof handler === 'function' ? watched(String(name), handler) : handler;
          // @ts-expect-error the bus decides what `this` is
          return Reflect.apply(original, this, [name, glass, ...rest]);
        },
      publish: (original) =>
        function (/** @type {any[]} */ ...args) {
          const code = attempt(() => args[1]?.authCode);
          post.note('published', { event: String(args[0]) }, { code });
          // @ts-expect-error the bus decides what `this` is
          return Reflect.apply(original, this, args);
        },
      subscribe: (original) =>
        function (/** @type {any[]} */ ...args) {
          // @ts-expect-error the bus decides what `this` is
          return Reflect.apply(original, this, listening(args, 'plugin'));
        },
      command: noting(([name]) => post.note('asked', { name: String(name), by: 'plugin' })),
      ready: noting(() => {
        known.provider_ready = true;
        post.note('plugin_ready');
      }),
    });

  /** @param {(args: any[]) => void} note */
  const noting = (note) => (/** @type {any} */ original) =>
    function (/** @type {any[]} */ ...args) {
      attempt(() => note(args));
      // @ts-expect-error the bus decides what `this` is
      return Reflect.apply(original, this, args);
    };

  /** Who leaves the page when it hears this does so before anybody else is told. @param {any[]} args */
  function listening(args, by = 'page') {
    const [event, hear] = args;
    if (!/^Auth\./.test(event) || ours.has(hear)) return args;
    post.note('subscribed', { event, by });
    if (event !== 'Auth.signingIn' || typeof hear !== 'function') return args;
    const told = function (/** @type {any[]} */ ...got) {
      post.note('heard', { event, by });
      // The page may leave in the next line, and take along what it writes while it goes.
      attempt(post.leave);
      // @ts-expect-error the bus decides what `this` is
      return Reflect.apply(hear, this, got);
    };
    ours.add(told);
    return [event, told, ...args.slice(2)];
  }

  /** Look at a call of the page to Genesys; return what to call instead. @param {any[]} args */
  function through(args) {
    const [action, name] = args;
    if (action === 'subscribe') return [action, ...listening(args.slice(1))];
    if (action === 'command') return asked(args);
    if (action !== 'registerPlugin' || name !== 'AuthProvider' || typeof args[2] !== 'function') return args;
    const build = args[2];
    if (ours.has(build)) return args; // out of the queue, and seen on its way in
    known.provider = true;
    post.note('plugin_registered', { name });
    const glass = (/** @type {any} */ plugin) => build(attempt(() => shown(plugin)) ?? plugin);
    ours.add(glass);
    return [action, name, glass];
  }

  /** @param {any[]} args */
  function asked(args) {
    const name = String(args[1]);
    if (args.some((one) => ours.has(one))) return args;
    post.note('asked', { name, by: 'page' });
    const ways = ['resolved', 'rejected'];
    return args.map((one) => {
      if (typeof one !== 'function') return one;
      const how = ways.shift();
      const told = function (/** @type {any[]} */ ...got) {
        post.note('answered', { name, how, ...(how === 'rejected' && { message: wordsOf(got[0]) }) });
        // @ts-expect-error the bus decides what `this` is
        return Reflect.apply(one, this, got);
      };
      ours.add(told);
      return told;
    });
  }

  return { known, through: (/** @type {any[]} */ args) => attempt(() => through(args)) ?? args };
}

// The bus: Genesys' global is a queue first and another function later; both are looked through.

const EVENTS = [
  ...['ready', 'authenticating', 'authenticated', 'loggedOut', 'authError', 'tokenError', 'authProviderError'].map((e) => `Auth.${e}`),
  ...['error', 'logoutError', 'signInAvailable', 'signingIn', 'signedIn', 'signInFailed'].map((e) => `Auth.${e}`),
  ...['started', 'restored', 'offline', 'reconnecting', 'reconnected', 'error', 'sessionCleared'].map((e) => `MessagingService.${e}`),
  ...['steppedUpConversation', 'stepUpConversationError'].map((e) => `MessagingService.${e}`),
  ...['Messenger.opened', 'Messenger.closed', 'GenesysJS.domainNotAllowed', 'AuthProvider.ready'],
];

/** @param {any} root @param {string} name @param {Post} post */
function createStandIn(root, name, post) {
  const glass = createGlass(root, post);
  const known = { ...glass.known, genesys: false, auth_ready: false };
  const windows = new WeakSet();
  let current = root[name];
  let isHeard = false;

  function heard(/** @type {string} */ event, /** @type {any} */ envelope) {
    const data = envelope?.data || {};
    if (event === 'Auth.ready') known.auth_ready = true;
    const tokens = data.jwt && { ...lifeOf(data.jwt), refresh_token: Boolean(data.refreshToken) };
    const fault = /error|failed$/i.test(event) && { message: wordsOf(data) };
    post.note('bus', { event, ...tokens, ...fault }, { jwt: data.jwt, code: data.authCode });
  }

  /** @param {any} real */
  function listen(real) {
    if (isHeard || typeof real !== 'function') return;
    isHeard = true;
    for (const event of EVENTS) real('subscribe', event, (/** @type {any} */ e) => void attempt(() => heard(event, e)));
  }

  /** @param {any} value */
  function shown(value) {
    if (typeof value !== 'function' || windows.has(value)) return value;
    // The first is the snippet's queue, the second is Genesys.
    known.genesys ||= current !== undefined && isHeard;
    const window_ = new Proxy(value, {
      apply: (real, self, args) => Reflect.apply(real, self, glass.through(args)),
    });
    windows.add(window_);
    return window_;
  }

  /** What was queued before us has not run yet. */
  function lookBack() {
    const queued = [...(current?.q ?? [])];
    listen(current);
    if (current && !current.q) {
      known.genesys = true;
      post.note('recorder_late');
    }
    for (const entry of queued) Object.assign(entry, glass.through([...entry]));
  }

  let face = shown(current);
  attempt(lookBack);
  attempt(() =>
    Object.defineProperty(root, name, {
      configurable: true,
      enumerable: true,
      get: () => face,
      set(value) {
        face = attempt(() => shown(value)) ?? value;
        current = value;
        attempt(() => listen(value));
      },
    }),
  );
  return () => ({ ...known, ...glass.known, genesys: known.genesys || known.auth_ready, shown: Boolean(root._genesysJs) });
}

// The page around it: loads, sleep, address, storage.

/** @param {any} root @param {Post} post @param {() => Facts} state */
function watchPage(root, post, state) {
  const { document, location } = root;
  const on = (/** @type {string} */ event, /** @type {(e: any) => void} */ then) =>
    root.addEventListener(event, (/** @type {any} */ e) => void attempt(() => then(e)), { capture: true });
  post.note('page_loaded', { shown: !document.hidden, persisted: false });
  on('visibilitychange', () => post.note(document.hidden ? 'hidden' : 'visible'));
  on('online', () => post.note('online'));
  on('offline', () => post.note('offline'));
  on('pageshow', ({ persisted }) => persisted && post.note('page_loaded', { shown: !document.hidden, persisted }));
  on('pagehide', ({ persisted }) => {
    post.note('page_left', { persisted });
    post.leave();
  });
  on('messenger-auth', ({ detail }) =>
    post.note('plugin_state', { state: detail.state, reason: detail.reason || '', status: detail.code || '' }),
  );
  let ticked = root.Date.now();
  root.setInterval(() => {
    const now = root.Date.now();
    if (now - ticked > SLEPT) post.note('slept', { seconds: Math.round((now - ticked) / SECOND) });
    ticked = now;
  }, TICK);
  const told = new Set();
  const look = () => attempt(() => (lookAtAddress(location, post, told), lookAtStorage(root, post, told)));
  root.setTimeout(look, CALM);
  root.setInterval(look, LONGEST_PAUSE);
  root.setTimeout(() => post.note('checked', state()), CHECK);
}

/** A coupon is called `code` too: one from a sign-in is long, or has its `state` beside it. */
function lookAtAddress(/** @type {Location} */ location, /** @type {Post} */ post, /** @type {Set<string>} */ told) {
  for (const part of [location.search, location.hash]) {
    const given = new URLSearchParams(part.slice(1));
    const code = given.get('code') || given.get('id_token');
    if (!code || !(code.length > 20 || given.has('state')) || told.has(code)) continue;
    told.add(code);
    post.note('address_code', {}, { code });
  }
}

const GENESYS_KEY = /^_[\w-]{8,}:/;
const KINDS = /** @type {const} */ ([
  ['verifier', /verifier/i, /^.{20,}$/s],
  ['code', /(^|[^a-z])(auth_?)?code$/i, /^.{16,}$/s],
  ['nonce', /nonce/i, /^.{8,}$/s],
  ['token', /./, /eyJ[\w-]{10,}\.[\w-]+\.[\w-]*/],
]);

/** Genesys keeps its own tokens there; what the page adds is the page's choice. */
function lookAtStorage(/** @type {any} */ root, /** @type {Post} */ post, /** @type {Set<string>} */ told) {
  for (const where of ['localStorage', 'sessionStorage']) {
    const shelf = attempt(() => root[where]);
    for (let place = 0; place < (shelf?.length ?? 0); place += 1) {
      const key = shelf.key(place);
      const value = shelf.getItem(key) ?? '';
      const found = KINDS.find(([, name, form]) => name.test(key) && form.test(value));
      if (!found || GENESYS_KEY.test(key) || key.startsWith('messenger-') || told.has(where + key)) continue;
      told.add(where + key);
      post.note('storage_secret', { where, key: key.slice(0, 40), what: found[0] });
    }
  }
}

// The door: a recording begins by a link, goes on by a mark, or where the page's owner says always.

const KEY = /[#&]messenger-inspect=([\w-]{1,64})/;

/** @param {any} root */
function takeKey({ location, history }) {
  const [whole, key] = KEY.exec(location.hash) ?? [];
  if (whole) history.replaceState(history.state, '', location.pathname + location.search + location.hash.replace(whole, ''));
  return key;
}

/** @param {any} root @param {any} script */
function boot(root, script) {
  if (root.MessengerInspector) return; // loaded twice
  const key = attempt(() => takeKey(root));
  const marked = attempt(() => root.localStorage.getItem(MARK + 'on'));
  if (!key && !marked && script.dataset.record !== 'always') return;
  const post = createPost(root, new URL('..', script.src).href.slice(0, -1));
  const state = createStandIn(root, script.dataset.global || root._genesysJs || 'Genesys', post);
  watchPage(root, post, state);
  void post.begin(key);
  const api = Object.freeze({ recording: post.going, waiting: post.waiting, stop: post.stop });
  Object.defineProperty(root, 'MessengerInspector', { value: api });
  root.console.info('This page is recorded for support, without secrets. MessengerInspector.stop() ends it.');
}

const here = document.currentScript;
attempt(() => boot(window, here));
})();

// @ts-check
/*!
 * What a person sees when messenger-auth.js needs them: see docs/sign-in-dialog.md.
 * One dialog for all tabs; how a sign-in ends is read from the BFF, never from a window.
 */
(() => {
'use strict';

const SECOND = 1_000;
const LOOK_FIRST = SECOND;
const LOOK_LAST = 5 * SECOND;
const SEEMS_CLOSED = 3 * SECOND;
const NO_ANSWER = 2 * SECOND;
const ASK_AGAIN = 10 * SECOND;
const CHECK_SPAN = 2 * SECOND;
const SPARE = 30 * SECOND;
const COOKIE_LIMIT = 3 * SECOND;
const SILENT_LIMIT = 8 * SECOND;
const DRAFT_LIFE = 30 * 60 * SECOND;
const DRAFT_WATCH = 30 * SECOND;
const LOCK = 'messenger-auth:sign-in';
const CHANNEL = 'messenger-auth';

/** @param {() => any} act */
const attempt = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};

/** One timer: each call clears the last. @param {SignInEnvironment} env */
function createAlarm(env) {
  /** @type {any} */ let timer;
  return (/** @type {any} */ then = null, delay = 0) => {
    env.clearTimeout(timer);
    timer = then && env.setTimeout(then, delay);
  };
}

// Words. Those named like a public code are what a person reads when it comes.

/** @type {{[language: string]: Words}} */
const WORDS = {
  en: {
    title_first: 'Please sign in',
    first: 'Sign in to continue the chat.',
    title_again: 'Please sign in again',
    again: 'Your sign-in has ended. Sign in again to continue the chat.',
    title_halted: 'The chat is paused',
    halted: 'The chat could not stay signed in.',
    title_stuck: 'The chat did not come back',
    stuck: 'Please reload it. What you have written is kept.',
    popup: 'The sign-in opens in a small window.',
    redirect: 'You go to the sign-in page and come back here.',
    go: 'Sign in',
    retry: 'Try again',
    reload: 'Reload chat',
    open: 'Open the window again',
    later: 'Not now',
    window: 'Please finish the sign-in in the other window.',
    closed: 'The window seems to be closed. You can open it again.',
    offline: 'You are offline. You can sign in once you are connected again.',
    online: 'You are connected again.',
    unreachable: 'The sign-in service does not answer. Please try again.',
    sign_in_denied: 'The sign-in was cancelled or refused. You can try again.',
    sign_in_failed: 'The sign-in did not work. You can try again.',
    sign_in_expired: 'The sign-in took too long. You can try again.',
    sign_in_loop: 'The sign-in failed several times. You can try again.',
    cookies: 'Your browser did not keep the sign-in. Please allow cookies for this site and try again.',
    // The title says it.
    sign_in_needed: '',
    login_required: '',
    reload_needed: '',
  },
  de: {
    title_first: 'Bitte melden Sie sich an',
    first: 'Melden Sie sich an, um den Chat fortzusetzen.',
    title_again: 'Bitte melden Sie sich erneut an',
    again: 'Ihre Anmeldung ist abgelaufen. Melden Sie sich erneut an, um den Chat fortzusetzen.',
    title_halted: 'Der Chat ist angehalten',
    halted: 'Die Anmeldung konnte nicht verlängert werden.',
    title_stuck: 'Der Chat reagiert nicht',
    stuck: 'Bitte laden Sie ihn neu. Was Sie geschrieben haben, bleibt erhalten.',
    popup: 'Die Anmeldung öffnet sich in einem kleinen Fenster.',
    redirect: 'Sie gelangen zur Anmeldeseite und danach wieder hierher.',
    go: 'Anmelden',
    retry: 'Erneut versuchen',
    reload: 'Chat neu laden',
    open: 'Fenster erneut öffnen',
    later: 'Nicht jetzt',
    window: 'Bitte schließen Sie die Anmeldung im anderen Fenster ab.',
    closed: 'Das Fenster scheint geschlossen zu sein. Sie können es erneut öffnen.',
    offline: 'Sie sind offline. Sobald die Verbindung wieder da ist, können Sie sich anmelden.',
    online: 'Sie sind wieder verbunden.',
    unreachable: 'Der Anmeldedienst antwortet nicht. Bitte versuchen Sie es erneut.',
    sign_in_denied: 'Die Anmeldung wurde abgebrochen oder abgelehnt. Sie können es erneut versuchen.',
    sign_in_failed: 'Die Anmeldung hat nicht funktioniert. Sie können es erneut versuchen.',
    sign_in_expired: 'Die Anmeldung hat zu lange gedauert. Sie können es erneut versuchen.',
    sign_in_loop: 'Die Anmeldung ist mehrmals fehlgeschlagen. Sie können es erneut versuchen.',
    cookies: 'Ihr Browser hat die Anmeldung nicht gespeichert. Bitte erlauben Sie Cookies für diese Website und versuchen Sie es erneut.',
  },
  es: {
    title_first: 'Inicie sesión',
    first: 'Inicie sesión para continuar el chat.',
    title_again: 'Vuelva a iniciar sesión',
    again: 'Su sesión ha caducado. Vuelva a iniciar sesión para continuar el chat.',
    title_halted: 'El chat está en pausa',
    halted: 'No se ha podido mantener la sesión del chat.',
    title_stuck: 'El chat no responde',
    stuck: 'Vuelva a cargarlo. Lo que ha escrito se conserva.',
    popup: 'El inicio de sesión se abre en una ventana pequeña.',
    redirect: 'Irá a la página de inicio de sesión y después volverá aquí.',
    go: 'Iniciar sesión',
    retry: 'Intentar de nuevo',
    reload: 'Recargar el chat',
    open: 'Abrir la ventana de nuevo',
    later: 'Ahora no',
    window: 'Termine de iniciar sesión en la otra ventana.',
    closed: 'Parece que la ventana está cerrada. Puede abrirla de nuevo.',
    offline: 'No tiene conexión. Podrá iniciar sesión cuando vuelva a estar en línea.',
    online: 'Vuelve a tener conexión.',
    unreachable: 'El servicio de inicio de sesión no responde. Inténtelo de nuevo.',
    sign_in_denied: 'El inicio de sesión se ha cancelado o rechazado. Puede intentarlo de nuevo.',
    sign_in_failed: 'No se ha podido iniciar sesión. Puede intentarlo de nuevo.',
    sign_in_expired: 'El inicio de sesión ha tardado demasiado. Puede intentarlo de nuevo.',
    sign_in_loop: 'El inicio de sesión ha fallado varias veces. Puede intentarlo de nuevo.',
    cookies: 'Su navegador no ha guardado la sesión. Permita las cookies de este sitio e inténtelo de nuevo.',
  },
  fr: {
    title_first: 'Veuillez vous connecter',
    first: 'Connectez-vous pour poursuivre la conversation.',
    title_again: 'Veuillez vous reconnecter',
    again: 'Votre session a expiré. Reconnectez-vous pour poursuivre la conversation.',
    title_halted: 'La conversation est en pause',
    halted: 'La connexion n’a pas pu être maintenue.',
    title_stuck: 'La conversation ne répond plus',
    stuck: 'Veuillez la recharger. Ce que vous avez écrit est conservé.',
    popup: 'La connexion s’ouvre dans une petite fenêtre.',
    redirect: 'Vous allez sur la page de connexion, puis revenez ici.',
    go: 'Se connecter',
    retry: 'Réessayer',
    reload: 'Recharger la conversation',
    open: 'Rouvrir la fenêtre',
    later: 'Pas maintenant',
    window: 'Veuillez terminer la connexion dans l’autre fenêtre.',
    closed: 'La fenêtre semble fermée. Vous pouvez la rouvrir.',
    offline: 'Vous êtes hors ligne. Vous pourrez vous connecter dès que la connexion à Internet sera rétablie.',
    online: 'Vous êtes de nouveau en ligne.',
    unreachable: 'Le service de connexion ne répond pas. Veuillez réessayer.',
    sign_in_denied: 'La connexion a été annulée ou refusée. Vous pouvez réessayer.',
    sign_in_failed: 'La connexion n’a pas fonctionné. Vous pouvez réessayer.',
    sign_in_expired: 'La connexion a pris trop de temps. Vous pouvez réessayer.',
    sign_in_loop: 'La connexion a échoué plusieurs fois. Vous pouvez réessayer.',
    cookies: 'Votre navigateur n’a pas conservé la connexion. Autorisez les cookies pour ce site, puis réessayez.',
  },
  ar: {
    dir: 'rtl',
    title_first: 'يُرجى تسجيل الدخول',
    first: 'سجِّل الدخول لمتابعة المحادثة.',
    title_again: 'يُرجى تسجيل الدخول مرة أخرى',
    again: 'انتهت صلاحية تسجيل دخولك. سجِّل الدخول مرة أخرى لمتابعة المحادثة.',
    title_halted: 'المحادثة متوقفة مؤقتًا',
    halted: 'تعذّر تجديد تسجيل الدخول.',
    title_stuck: 'المحادثة لا تستجيب',
    stuck: 'يُرجى إعادة تحميلها. سيبقى ما كتبته محفوظًا.',
    popup: 'تُفتح صفحة تسجيل الدخول في نافذة صغيرة.',
    redirect: 'ستنتقل إلى صفحة تسجيل الدخول ثم تعود إلى هنا.',
    go: 'تسجيل الدخول',
    retry: 'المحاولة مرة أخرى',
    reload: 'إعادة تحميل المحادثة',
    open: 'فتح النافذة مرة أخرى',
    later: 'ليس الآن',
    window: 'يُرجى إكمال تسجيل الدخول في النافذة الأخرى.',
    closed: 'يبدو أن النافذة مغلقة. يمكنك فتحها مرة أخرى.',
    offline: 'أنت غير متصل بالإنترنت. يمكنك تسجيل الدخول عند عودة الاتصال.',
    online: 'عاد الاتصال بالإنترنت.',
    unreachable: 'خدمة تسجيل الدخول لا تستجيب. يُرجى المحاولة مرة أخرى.',
    sign_in_denied: 'أُلغي تسجيل الدخول أو رُفض. يمكنك المحاولة مرة أخرى.',
    sign_in_failed: 'لم ينجح تسجيل الدخول. يمكنك المحاولة مرة أخرى.',
    sign_in_expired: 'استغرق تسجيل الدخول وقتًا طويلاً. يمكنك المحاولة مرة أخرى.',
    sign_in_loop: 'فشل تسجيل الدخول عدة مرات. يمكنك المحاولة مرة أخرى.',
    cookies: 'لم يحفظ متصفحك تسجيل الدخول. يُرجى السماح بملفات تعريف الارتباط لهذا الموقع ثم المحاولة مرة أخرى.',
  },
};

/** The first language that somebody has words for. @param {(string | undefined)[]} tags @param {any} own the site's @returns {Words} */
function wordsFor(tags, own = {}) {
  for (const lang of tags) {
    if (!lang) continue;
    const base = lang.split('-')[0].toLowerCase();
    if (WORDS[base] || own[base] || own[lang]) return { ...WORDS.en, ...WORDS[base], ...own[base], ...own[lang], lang };
  }
  return { ...WORDS.en, ...own.en, lang: 'en' };
}

/** @param {Words} words @param {any} trouble */
const sentence = (words, { code, message, kind } = { code: '' }) =>
  words[code] ?? ((/^en\b/.test(words.lang) && message) || words[kind] || words.sign_in_failed);

// Transactions: the BFF alone knows how a sign-in ends.

/** @param {SignInEnvironment} env @param {SignInNeeds['call']} call @param {Transaction} transaction @param {(seen: Seen) => void} seen */
function watchTransaction(env, call, { id, until }, seen, first = LOOK_FIRST, last = LOOK_LAST) {
  const alarm = createAlarm(env);
  let delay = first;
  let busy = false;
  let stopped = false;

  async function look() {
    if (busy || stopped) return;
    busy = true;
    alarm();
    const answer = await call('/auth/transactions/' + id).catch(missing);
    busy = false;
    if (stopped) return;
    seen(answer);
    alarm(look, (delay = Math.min(delay * 1.5, last)));
  }

  /** One that is gone was too old, or the cookie that belongs to it. @param {any} trouble @returns {Seen} */
  function missing({ kind }) {
    const late = env.now() >= until;
    if (kind === 'unreachable') return { status: late ? 'expired' : kind };
    return { status: late ? 'expired' : 'failed', code: late ? '' : 'cookies' };
  }

  const stop = () => {
    stopped = true;
    alarm();
  };
  alarm(look, first);
  return { look, stop };
}

// Tabs: one of them shows the dialog, and it is the one that somebody looks at.

/** What happens meanwhile, to whoever waits. @param {SignInEnvironment} env @param {AbortSignal} signal @returns {News} */
function createNews(env, signal) {
  /** @type {Set<(type: string) => void>} */ const ears = new Set();
  const tell = (type = '') => [...ears].forEach((hear) => hear(type));
  const { post, close } = env.channel(tell);
  const off = env.listen(() => tell('woken'));
  const abort = () => tell('aborted');
  signal.addEventListener('abort', abort);
  return {
    post,
    hear(ear) {
      ears.add(ear);
      return () => void ears.delete(ear);
    },
    close() {
      off();
      close();
      signal.removeEventListener('abort', abort);
    },
  };
}

/** The next thing that happens. @param {News} news @returns {Promise<null>} */
const change = (news) =>
  new Promise((resolve) => {
    const off = news.hear((type) => {
      if (type === 'asked' || type === 'showing') return;
      off();
      resolve(null);
    });
  });

/**
 * Whose turn it is. A holder that is frozen answers nobody: then it goes without the lock, for a
 * stolen one runs two holders. Null: something has changed, look again.
 * @param {SignInEnvironment} env @param {SignInNeeds} needs @param {News} news @returns {Promise<Turn | null>}
 */
async function takeTurn(env, needs, news) {
  const alone = { waited: false, release() {} };
  const { locks } = env;
  if (!locks) return alone;
  /** @param {object} options @param {(turn: Turn | null) => void} granted */
  const request = (options, granted) =>
    locks
      .request(LOCK, options, (/** @type {any} */ lock) => lock ? hold(granted) : granted(null))
      .catch((/** @type {any} */ error) => granted(error.name === 'AbortError' ? null : alone));

  /** @param {(turn: Turn | null) => void} granted @returns {Promise<void>} */
  const hold = (granted) => new Promise((release) => granted({ waited: false, release }));

  const turn = await new Promise((granted) => void request({ ifAvailable: true }, granted));
  // A person who clicks here is served here.
  if (turn || needs.activated) return turn || alone;
  needs.tell('other_tab');

  return new Promise((resolve) => {
    const giveUp = new AbortController();
    const alarm = createAlarm(env);
    let settled = false;
    /** @param {Turn | null} mine */
    const settle = (mine) => {
      if (settled) return mine?.release();
      settled = true;
      off();
      alarm();
      giveUp.abort();
      resolve(mine && { ...mine, waited: true });
    };
    const ask = () => {
      news.post('asked');
      // Not all at once: the first to go on is heard by the others.
      alarm(() => settle(alone), NO_ANSWER + env.random() * SECOND);
    };
    const off = news.hear((type) => {
      if (type === 'showing') alarm(ask, ASK_AGAIN);
      else if (type !== 'asked' && !(type === 'woken' && env.visible())) settle(null);
    });
    void request({ signal: giveUp.signal }, settle);
    ask();
  });
}

// The conversation: from the transaction to the outcome.

/** @type {Outcome} */ const SIGNED_IN = { outcome: 'signed-in' };
/** @type {Outcome} */ const CANCELLED = { outcome: 'cancelled' };
/** @type {Outcome} */ const LEAVING = { outcome: 'leaving' };
/** @type {Outcome} */ const RELOAD = { outcome: 'reload' };
const KNOWN = ['halted', 'stuck'];
const AGAIN = ['reauthenticate', 'code_needed'];

/**
 * Null: the person has gone to another tab.
 * @param {SignInEnvironment} env @param {SignInNeeds} needs @param {News} news @param {Look} settled
 * @returns {Promise<Outcome | null>}
 */
function converse(env, needs, news, settled, alive = false) {
  const { reason, call } = needs;
  const words = wordsFor([needs.lang, ...env.languages()], needs.texts);
  const surface = env.standalone() ? 'redirect' : needs.surface;
  const kind = KNOWN.includes(reason) ? reason : AGAIN.includes(reason) ? 'again' : 'first';

  return new Promise((resolve) => {
    let means = reason === 'stuck' ? 'reload' : reason === 'halted' && alive ? 'retry' : needs.modal ? 'modal' : surface;
    let action = means === 'reload' || means === 'retry' ? means : 'go';
    let status = needs.code ? sentence(words, needs) : '';
    let busy = false;
    let over = false;
    let insists = false;
    let wasOffline = false;
    let checkedAt = env.now();
    let closedSince = 0;
    /** @type {Transaction | null} */ let transaction = null;
    /** @type {Promise<boolean> | null} */ let making = null;
    /** @type {any} */ let trouble = null;
    /** @type {any} */ let opened = null;
    /** @type {ReturnType<typeof watchTransaction> | null} */ let watch = null;
    /** @type {View | null} */ let view = null;
    const surfaceGone = new AbortController();
    const cookie = createAlarm(env);

    /** @param {Outcome | null} result */
    function finish(result) {
      if (over) return;
      over = true;
      off();
      watch?.stop();
      cookie();
      view?.close();
      surfaceGone.abort();
      opened?.close();
      resolve(result);
    }

    function paint() {
      if (over) return;
      const online = env.online();
      if (!online) wasOffline = true;
      view?.paint({ status: online ? status : words.offline, action: words[action], enabled: online && !busy });
    }

    function say(next = '', then = action) {
      status = next;
      action = then;
      paint();
    }

    function show() {
      if (over || view) return;
      const text = [words[kind], kind !== 'stuck' && means !== 'retry' && words[means]].filter(Boolean).join(' ');
      view = env.view({ title: words['title_' + kind], text, words, go: () => void go().catch(broken), later: () => finish(CANCELLED) });
      if (!watch) needs.tell('dialog');
      paint();
    }

    /** One transaction at a time; the old one stays until then. */
    const make = () => (making ??= open().finally(() => (making = null)));

    async function open() {
      const { provider } = needs;
      const body = { ...env.place(), ...(provider && { provider }), surface: means };
      const made = await call('/auth/transactions', body).catch((/** @type {any} */ error) => ((trouble = error), null));
      transaction = made && { ...made, until: env.now() + made.expires_in * SECOND };
      return transaction !== null;
    }

    const fresh = () => transaction && env.now() < transaction.until - SPARE;
    const broken = () => finish({ ...CANCELLED, code: 'sign_in_failed' });
    const cannot = () => say(sentence(words, trouble || { code: 'unreachable' }), 'retry');

    async function go() {
      if (over || busy || !env.online()) return;
      if (means === 'reload') return reload();
      if (means === 'redirect') return leave();
      if (watch && opened && !opened.closed) return opened.focus();
      if (means === 'popup' && fresh()) return openWindow(leave);
      busy = true;
      paint();
      const helped = means === 'retry' && (await retry());
      const ready = !helped && means === 'popup' && (await make());
      busy = false;
      if (over || helped) return;
      if (means === 'redirect') leave();
      else if (means === 'modal') void showModal();
      else if (ready) openWindow(() => say('', 'go'));
      else cannot();
    }

    /** The session may have ended while the dialog stood there. */
    async function retry() {
      const session = await needs.session().catch((error) => ((trouble = error), null));
      if (session?.signed_in) finish(SIGNED_IN);
      else if (session) means = needs.modal ? 'modal' : surface;
      return over;
    }

    function reload() {
      env.drafts.keep();
      finish(RELOAD);
    }

    function leave() {
      if (!needs.redirect(insists)) {
        insists = true;
        return say(words.sign_in_loop, 'retry');
      }
      env.drafts.keep();
      finish(LEAVING);
    }

    /** @param {() => void} blocked */
    function openWindow(blocked) {
      const next = transaction && env.open(transaction.url);
      if (!next) return blocked();
      opened = next;
      closedSince = 0;
      needs.tell('window');
      follow();
      say(words.window, 'open');
    }

    function follow() {
      if (transaction) watch ??= watchTransaction(env, call, transaction, seen);
    }

    /** @param {Seen} answer */
    function seen({ status: fate, code }) {
      if (fate === 'done') return arrived();
      if (fate === 'pending') return means === 'popup' && soften();
      if (fate === 'unreachable') return say(words.unreachable);
      const why = fate === 'expired' ? 'sign_in_expired' : code || 'sign_in_failed';
      if (means === 'modal') return finish({ ...CANCELLED, code: why });
      watch?.stop();
      watch = null;
      transaction = null;
      say(sentence(words, { code: why }), 'retry');
      void make(); // so that the next click opens at once
    }

    /** The server is done a moment before its answer has set the cookie. */
    async function arrived(limit = env.now() + COOKIE_LIMIT) {
      watch?.stop();
      const session = await needs.session().catch(() => null);
      if (over) return;
      if (session?.signed_in) finish(SIGNED_IN);
      else if (env.now() > limit) seen({ status: 'failed', code: session ? 'cookies' : 'unreachable' });
      else cookie(() => void arrived(limit), SECOND / 4);
    }

    /** A window behind COOP says that it is closed: this is advice only. */
    function soften() {
      if (!opened?.closed) closedSince = 0;
      else closedSince ||= env.now();
      const gone = closedSince && env.now() - closedSince >= SEEMS_CLOSED;
      say(gone ? words.closed : words.window, 'open');
    }

    async function showModal() {
      if (!(await make())) return finish({ ...CANCELLED, code: trouble.code });
      if (over || !transaction || !needs.modal) return;
      needs.tell('modal');
      follow();
      const wish = { url: transaction.url, reason, message: status, signal: surfaceGone.signal };
      // That it is through is no evidence; that it gave up is.
      Promise.resolve(wish).then(needs.modal).then(() => watch?.look(), () => finish(CANCELLED));
    }

    async function check() {
      if (env.now() - checkedAt < CHECK_SPAN) return;
      checkedAt = env.now();
      const result = await settled();
      if (result) finish(result);
    }

    const off = news.hear((type) => {
      if (type === 'aborted') return finish(CANCELLED);
      if (type === 'asked' || type === 'showing') return;
      if (type === 'signed_in') checkedAt = -Infinity;
      if (!env.visible()) return watch || means === 'modal' || finish(null);
      if (env.online() && wasOffline) {
        wasOffline = false;
        if (!watch) status = words.online;
      }
      paint();
      watch?.look();
      if (means === 'popup' && !watch && !busy && !fresh() && env.online()) void make();
      void check();
    });

    async function begin() {
      if (means === 'modal') return showModal();
      if (means === 'popup') {
        const ready = await make();
        if (over) return;
        if (!ready) cannot();
        else if (needs.activated) openWindow(() => {});
      } else if (means === 'redirect' && needs.activated) leave();
      show();
    }
    begin().catch(broken);
  });
}

/** @param {SignInEnvironment} env @param {SignInNeeds} needs @returns {Promise<Outcome>} */
async function ask(env, { ...needs }) {
  const { signal, reason } = needs;
  const news = createNews(env, signal);
  let elsewhere = false; // somebody signed in, in another tab
  let alive = false;
  news.hear((type) => void (elsewhere ||= type === 'signed_in'));

  /** A session that was there before is no help where more is needed. @type {Look} */
  async function settled() {
    if (signal.aborted) return CANCELLED;
    if (reason === 'stuck') return null;
    const session = await needs.session().catch(() => null);
    if (signal.aborted) return CANCELLED;
    alive = !!session?.signed_in;
    const helps = elsewhere || !(KNOWN.includes(reason) || reason === 'code_needed');
    return alive && helps ? SIGNED_IN : null;
  }

  /** @returns {Promise<Outcome | null>} */
  async function once() {
    const turn = env.visible() ? await takeTurn(env, needs, news) : await change(news);
    if (!turn) return settled();
    /** @type {Outcome | null} */ let result = null;
    // By a timer: a frozen tab may still hear, but its timers stand still.
    const answer = createAlarm(env);
    const off = news.hear((type) => type === 'asked' && answer(() => news.post('showing')));
    news.post('showing');
    try {
      result = (turn.waited && (await settled())) || (await converse(env, needs, news, settled, alive));
      needs.activated = false; // that click is spent
    } finally {
      off();
      answer();
      turn.release();
      news.post(result === SIGNED_IN ? 'signed_in' : 'ended');
    }
    return result;
  }

  try {
    let result = await settled();
    while (!result) result = await once();
    return result;
  } catch {
    return { ...CANCELLED, code: 'sign_in_failed' };
  } finally {
    news.close();
  }
}

/** A code without a person, in a frame that nobody sees. @param {SignInEnvironment} env @param {SilentNeeds} needs @returns {Promise<{done: boolean, code?: string}>} */
function silent(env, { id, url, call, signal }) {
  return new Promise((resolve) => {
    const alarm = createAlarm(env);
    const frame = env.frame(url);
    /** @param {{done: boolean, code?: string}} answer */
    const end = (answer) => {
      alarm();
      watch.stop();
      frame?.remove();
      resolve(answer);
    };
    const watch = watchTransaction(
      env,
      call,
      { id, url, until: env.now() + SILENT_LIMIT },
      ({ status, code }) => {
        if (status === 'done') end({ done: true });
        else if (status === 'failed' || status === 'expired') end({ done: false, code: code || status });
      },
      SECOND / 4,
      SECOND,
    );
    const abort = () => end({ done: false, code: 'aborted' });
    if (!frame || signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    alarm(() => end({ done: false, code: 'timeout' }), SILENT_LIMIT);
  });
}

// Drafts: what somebody has written and not sent outlives a reload of this tab.

const DRAFTS = 'messenger-auth:drafts';
const FIELDS = 'textarea, input:not([type]), input[type=text], input[type=search], [contenteditable]:not([contenteditable=false])';
const MARKS = ['autocomplete', 'name', 'id', 'aria-label', 'placeholder'];
const PRIVATE = /passw|cc-|one-time|card|cvc|cvv|iban|otp|secret|token|\bpin\b/i;

const nameOf = (/** @type {any} */ element) => element.localName + '#' + element.id + '.' + (element.getAttribute('name') || '');

/** @param {any} element */
function mayBeKept(element) {
  const { disabled, readOnly } = element;
  // As written: where a browser does not know a word for autocomplete, its property is empty.
  return !disabled && !readOnly && !MARKS.some((name) => PRIVATE.test(element.getAttribute(name)));
}

/** Also in open shadow roots and in frames of the same origin. @param {any} scope @returns {Generator<[string, any]>} */
function* fieldsIn(scope, path = '') {
  for (const element of scope.querySelectorAll('*')) {
    const inner = element.shadowRoot || attempt(() => element.contentDocument);
    const name = path + ' ' + nameOf(element);
    if (inner) yield* fieldsIn(inner, name);
    else if (element.matches(FIELDS) && mayBeKept(element)) yield [name, element];
  }
}

/** Fields of the same name are told apart by their order. @param {any} root @returns {Map<string, any>} */
function fieldsOf({ document, location }) {
  const found = new Map();
  for (const [name, field] of fieldsIn(document, location.pathname)) {
    let count = 0;
    while (found.has(name + ' ' + count)) count++;
    found.set(name + ' ' + count, field);
  }
  return found;
}

const textOf = (/** @type {any} */ field) => ('value' in field ? field.value !== field.defaultValue && field.value : field.innerText.trim());

/** @param {any} field */
function write(field, text = '') {
  // Through the prototype of its own realm: frameworks watch the element's own property.
  if ('value' in field) Reflect.set(Object.getPrototypeOf(field), 'value', text, field);
  else field.innerText = text;
  field.dispatchEvent(new field.ownerDocument.defaultView.Event('input', { bubbles: true, composed: true }));
}

/** @param {any} root @returns {Drafts} */
const draftsOf = (root) => ({
  keep() {
    const fields = [...fieldsOf(root)].map(([name, field]) => [name, textOf(field)]).filter(([, text]) => text);
    if (fields.length) attempt(() => root.sessionStorage.setItem(DRAFTS, JSON.stringify({ at: root.Date.now(), fields })));
  },
  /** Asks again and again: no event tells of a new shadow root or of what a frame has loaded. */
  restore() {
    const { now } = root.Date;
    const kept = attempt(() => JSON.parse(root.sessionStorage.getItem(DRAFTS)));
    const left = new Map(kept && Math.abs(now() - kept.at) < DRAFT_LIFE ? kept.fields : []);
    const limit = now() + DRAFT_WATCH;
    (function look() {
      for (const [name, field] of left.size ? fieldsOf(root) : []) {
        if (left.has(name) && !textOf(field)) write(field, left.get(name));
        left.delete(name);
      }
      if (left.size && now() < limit) root.setTimeout(look, SECOND / 4);
      else attempt(() => root.sessionStorage.removeItem(DRAFTS));
    })();
  },
});

// The dialog: native, so that focus, Esc and what lies behind it are the browser's business.

const NAME = 'messenger-auth-dialog';
/** A brand's elements do not change it; a brand's rule with its class does. */
const STYLE = `
dialog:where(.${NAME}) {
  all: revert;
  --ground: var(--messenger-auth-ground, #fff);
  --ink: var(--messenger-auth-ink, #171d2b);
  --soft: var(--messenger-auth-soft, #4d576b);
  --line: var(--messenger-auth-line, #d5dae4);
  --accent: var(--messenger-auth-accent, #2b4fc7);
  --on-accent: var(--messenger-auth-on-accent, #fff);
  box-sizing: border-box;
  width: min(440px, 100% - 32px);
  max-height: calc(100% - 32px);
  overflow: auto;
  margin: auto;
  padding: 32px;
  border: 1px solid var(--line);
  border-radius: var(--messenger-auth-radius, 16px);
  background: var(--ground);
  color: var(--ink);
  font: max(1rem, 16px)/1.5 var(--messenger-auth-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
  text-align: start;
  overflow-wrap: anywhere;
  box-shadow: 0 16px 48px rgb(10 14 26 / .24);
}
dialog:where(.${NAME})::backdrop { background: rgb(10 14 26 / .5); }
.${NAME} :where(*) { all: revert; box-sizing: border-box; }
.${NAME} :where(h2) { margin: 0 0 8px; font-size: 1.5em; line-height: 1.333; font-weight: 650; text-wrap: balance; }
.${NAME} :where(p) { margin: 0; color: var(--soft); text-wrap: pretty; }
.${NAME} :where([role=status]) { margin: 0; color: var(--ink); }
.${NAME} :where([role=status]:not(:empty)) { margin-top: 16px; padding-inline-start: 12px; border-inline-start: 3px solid var(--accent); }
.${NAME} :where(div) { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 24px; }
.${NAME} :where(button) {
  flex: 1 0 auto;
  max-width: 100%;
  min-height: 48px;
  padding: 8px 24px;
  border: 1px solid var(--accent);
  border-radius: calc(var(--messenger-auth-radius, 16px) / 2);
  background: transparent;
  color: var(--accent);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
.${NAME} :where(button:first-child) { background: var(--accent); color: var(--on-accent); }
.${NAME} :where(button[aria-disabled=true]) { opacity: .55; cursor: default; }
.${NAME} :where(button:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.messenger-auth-frame { display: none !important; }
@media (max-width: 420px) { dialog:where(.${NAME}) { padding: 24px; } .${NAME} :where(button) { width: 100%; } }
@media (prefers-color-scheme: dark) {
  dialog:where(.${NAME}) {
    color-scheme: dark;
    --ground: var(--messenger-auth-ground, #1a1f2a);
    --ink: var(--messenger-auth-ink, #eceff6);
    --soft: var(--messenger-auth-soft, #adb7c9);
    --line: var(--messenger-auth-line, #363e4e);
    --accent: var(--messenger-auth-accent, #9db4ff);
    --on-accent: var(--messenger-auth-on-accent, #0e1631);
  }
}
@media (forced-colors: active) { .${NAME} :where(button[aria-disabled=true]) { opacity: 1; color: GrayText; border-color: GrayText; } }
@media (prefers-reduced-motion: no-preference) {
  dialog:where(.${NAME})[open] { animation: ${NAME} .16s ease-out; }
  @keyframes ${NAME} { from { opacity: 0; transform: translateY(8px); } }
}`;

let count = 0;

/** No inline style, and nothing that a policy would have to allow. @param {any} root */
function createStyles({ document, CSSStyleSheet }) {
  /** @type {any} */ let sheet;
  return () =>
    attempt(() => {
      if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLE);
      if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    });
}

/** @param {any} root @param {() => void} dress @returns {SignInEnvironment['view']} */
const viewOf = (root, dress) => ({ title, text, words, go, later }) => {
  const { document } = root;
  const prefix = NAME + ++count;
  const make = (tag = '', id = '', content = '') => {
    const made = document.createElement(tag);
    if (id) made.id = prefix + id;
    if (tag === 'button') made.type = tag;
    made.textContent = content;
    return made;
  };
  const dialog = make('dialog');
  const status = make('p', '-status');
  const primary = make('button');
  const secondary = make('button', '', words.later);
  const buttons = make('div');
  dialog.className = NAME;
  dialog.lang = words.lang;
  dialog.dir = words.dir || 'ltr';
  dialog.setAttribute('aria-labelledby', prefix + '-title');
  dialog.setAttribute('aria-describedby', prefix + '-text ' + prefix + '-status');
  status.setAttribute('role', 'status');
  primary.autofocus = true;
  primary.onclick = go;
  secondary.onclick = later;
  dialog.onclose = later;
  // The page's own keys are not meant.
  dialog.onkeydown = (/** @type {Event} */ e) => e.stopPropagation();
  buttons.append(primary, secondary);
  dialog.append(make('h2', '-title', title), make('p', '-text', text), status, buttons);

  return {
    paint({ status: said, action, enabled }) {
      primary.textContent = action;
      primary.setAttribute('aria-disabled', !enabled);
      // First, and after the page has replaced all that was in it.
      if (!dialog.isConnected) {
        dress();
        dialog.open = false;
        document.body.append(dialog);
        dialog.showModal();
      }
      if (status.textContent !== said) status.textContent = said;
    },
    close() {
      dialog.onclose = null;
      dialog.close(); // gives the focus back
      dialog.remove();
    },
  };
};

// Front door: the only room that knows `window`.

const WINDOW = 'messenger-auth';
const WAKES = ['visibilitychange', 'focus', 'pageshow', 'resume', 'online', 'offline'];
const safe = (url = '') => !!url?.match(/^https?:/); // never javascript:

/** Centred on the page's window. @param {any} root */
const placeOf = ({ screenX, screenY, outerWidth, outerHeight }, width = 480, height = 640) =>
  `popup,width=${width},height=${height},left=${screenX + (outerWidth - width) / 2},top=${screenY + (outerHeight - height) / 2}`;

/** @param {any} root @param {() => void} dress @returns {SignInEnvironment['frame']} */
const frameOf = ({ document }, dress) => (url) => {
  if (!safe(url)) return null;
  const frame = document.createElement('iframe');
  dress();
  frame.className = 'messenger-auth-frame';
  frame.hidden = true;
  frame.title = 'Sign-in';
  // It cannot take the page away with it.
  frame.setAttribute('sandbox', 'allow-scripts allow-forms allow-same-origin');
  frame.referrerPolicy = 'no-referrer';
  frame.src = url;
  document.body.append(frame);
  return frame;
};

/** Without a channel nobody could ask a frozen tab: then there is no lock either. @param {any} root @returns {SignInEnvironment['channel']} */
const channelOf = (root) => (hear) => {
  const channel = attempt(() => new root.BroadcastChannel(CHANNEL));
  if (channel) channel.onmessage = (/** @type {any} */ { data }) => data?.about === LOCK && hear(data.type);
  return { post: (type) => channel?.postMessage({ about: LOCK, type }), close: () => channel?.close() };
};

/** @param {any} root @returns {SignInEnvironment['listen']} */
const listenOf = (root) => (wake) => {
  const off = new AbortController();
  // Captured: the document's events too, but not each field's focus.
  for (const name of WAKES) root.addEventListener(name, wake, { signal: off.signal, capture: name !== 'focus' });
  return () => off.abort();
};

/** @param {any} root @returns {SignInEnvironment} */
function environmentOf(root) {
  const { document, navigator, location } = root;
  const dress = createStyles(root);
  return {
    now: () => root.Date.now(),
    random: () => root.Math.random(),
    visible: () => !document.hidden,
    online: () => navigator.onLine,
    // A web app on an iPhone's home screen has no windows beside it.
    standalone: () => !!navigator.standalone,
    languages: () => [document.documentElement.lang, navigator.language],
    setTimeout: (then, delay) => root.setTimeout(then, delay),
    clearTimeout: (timer) => root.clearTimeout(timer),
    place: () => ({ return_to: location.pathname + location.search, origin: location.origin }),
    open: (url) => (safe(url) ? attempt(() => root.open(url, WINDOW, placeOf(root))) : null),
    locks: root.BroadcastChannel && navigator.locks,
    channel: channelOf(root),
    listen: listenOf(root),
    view: viewOf(root, dress),
    frame: frameOf(root, dress),
    drafts: draftsOf(root),
  };
}

/** @param {any} root */
function install(root) {
  if (root.MessengerSignIn) return; // loaded twice
  const env = environmentOf(root);
  const api = { ask: ask.bind(null, env), silent: silent.bind(null, env), restoreDrafts: env.drafts.restore };
  Object.defineProperty(root, 'MessengerSignIn', { value: Object.freeze(api) });
}

if (typeof module === 'object' && module.exports) {
  module.exports = { ask, draftsOf, install, sentence, silent, wordsFor, WORDS };
} else {
  install(window);
}
})();

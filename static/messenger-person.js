// @ts-check
/*!
 * What messenger-auth.js does when a person is needed, or acts: it asks, leaves, comes back, signs out.
 * Loaded then, for most pages need it on most days not at all: see docs/plugin.md.
 */
(() => {
'use strict';

const ANSWER_LIMIT = 10_000;
const AWAY_LIMIT = 30_000;
const LOOP_SPAN = 300_000;
const MOST_SIGN_INS = 3;
const WATCH = 10_000;

/** @param {number[]} times */
const recent = (times, now = 0) => times.filter((at) => at <= now && now - at < LOOP_SPAN);

/** @type {any} */
const SENTENCES = {
  embedded: 'Nobody can sign in here, inside another site. Please open this page by itself.',
  reload_needed: 'The chat did not come back. Please reload the page.',
  sign_in_loop: 'The sign-in failed several times. You can try again.',
  sign_out_failed: 'You are still signed in. Please try to sign out again.',
};

/** @param {any} root the page's window @param {Core} core what the plugin lends */
function createPerson(root, core) {
  const { env, bff, page, settings, tell, look } = core;
  /** @type {Core['problem']} */
  const problem = (code, kind, message = SENTENCES[code || '']) => core.problem(code, kind, message);
  const signedOut = () => problem('sign_in_needed', 'refused');
  const { base, deployment, surface, dialog } = settings;
  let { provider, failure } = settings;
  let leaving = false;
  let cancelledAt = -LOOP_SPAN;
  let stop = new AbortController();
  /** Commands of a page that goes away. @type {((trouble: Problem) => void)[]} */ let parked = [];
  /** @type {number[]} */ let reauthentications = [];
  /** @type {any} */ let asking;
  /** @type {any} */ let signingOut;
  /** @type {any} */ let away;
  const unreachable = () => problem('unreachable', 'unreachable');

  // One question at a time, whoever needs the answer.

  /** Rejects if nobody signed in. @param {Problem} trouble @returns {Promise<any>} */
  async function human(reason = '', trouble, activated = false) {
    asking ??= ask(reason, trouble, activated).finally(() => (asking = null));
    const { outcome, code, message } = await asking;
    if (outcome === 'leaving' || outcome === 'reload') {
      depart();
      return new Promise((_, reject) => parked.push(reject));
    }
    if (outcome === 'signed-in') return known();
    const { authenticated, closed, resting } = look();
    if (authenticated) return; // tokens came by themselves
    const denied = problem(code || 'sign_in_denied', 'refused', message);
    if (!closed) tell(resting || 'sign-in-failed', 'cancelled', denied);
    throw denied;
  }

  // A question under way may be older than the sign-in.
  async function known() {
    await core.check();
    if (!look().session?.signed_in) await core.check();
  }

  /** @param {Problem} trouble @returns {Promise<Answer>} */
  async function ask(reason = '', trouble, activated = false) {
    if (await isEmbedded()) return { ...problem('embedded', 'refused'), outcome: 'cancelled' };
    if (activated && surface !== 'popup' && !settings.brand.modal && reason !== look().resting) {
      if (leave()) return { outcome: 'leaving' };
      trouble = problem('sign_in_loop');
      activated = false;
    }
    // Who just said "not now" is left alone.
    const quiet = dialog === 'none' || env.now() - cancelledAt < LOOP_SPAN;
    if (quiet && !activated) return { ...trouble, outcome: 'cancelled' };
    const signIn = await signInRoom();
    if (look().closed) throw unreachable();
    const { signal } = (stop = new AbortController());
    const { code, message } = failure ? problem(failure) : trouble;
    failure = '';
    const answer = await signIn.ask({
      ...{ base, deployment, provider, surface, reason, code, message, activated },
      ...settings.brand,
      ...{ session: bff.session, call: bff.call, redirect, tell: telling, signal },
    });
    if (answer.outcome === 'cancelled' && !signal.aborted) cancelledAt = env.now();
    if (answer.outcome === 'reload') page.reload();
    return answer;
  }

  // Another site's frame has cookies of its own at most: a sign-in there would reach nobody.
  async function isEmbedded() {
    const { top, document } = root;
    return top && top !== root && (await document.hasStorageAccess?.().catch(() => false)) === false;
  }

  // A server that hangs is no server.
  const signInRoom = () =>
    new Promise((resolve, reject) => {
      const timer = env.setTimeout(() => reject(unreachable()), ANSWER_LIMIT);
      const loaded = page.load('SignIn', 'sign-in');
      loaded.then(resolve, () => reject(unreachable())).finally(() => env.clearTimeout(timer));
    });

  const telling = (/** @type {string} */ reason) => tell('signing-in', reason);

  // Leaving for the sign-in page, and what is left open meanwhile.

  /** Redirects wipe all other memory. */
  function mayLeave() {
    const key = core.memory.key('redirects');
    const left = (page.tab.get(key) || '').split(',').map(Number);
    const times = recent(left, env.now());
    page.tab.set(key, [...times, env.now()].join());
    return times.length < MOST_SIGN_INS;
  }

  const forgiveLoops = () => page.tab.set(core.memory.key('redirects'), null);

  function leave() {
    if (leaving) return true;
    if (!mayLeave()) return false;
    telling('redirect');
    const query = { return_to: page.returnTo(), origin: page.origin, surface: 'redirect', ...(provider && { provider }) };
    page.go(base + '/auth/login?' + new URLSearchParams(query));
    depart();
    return true;
  }

  /** `insists`: somebody has read that it failed several times, and clicks again. */
  function redirect(insists = false) {
    if (insists) forgiveLoops();
    return leave();
  }

  function depart() {
    leaving = true;
    core.expectTokens(Infinity);
    env.clearTimeout(away);
    away = env.setTimeout(comeBack, AWAY_LIMIT);
  }

  // Still here, or here again by the Back button.
  function comeBack() {
    env.clearTimeout(away);
    if (!leaving) return;
    leaving = false;
    const trouble = problem('sign_in_denied', 'refused');
    for (const reject of parked) reject(trouble);
    parked = [];
    tell('sign-in-failed', 'returned', trouble);
  }

  /** No tokens came, or too much was tried: only a person goes on. */
  function rest(state = '', reason = '', missing = '') {
    const trouble = state === 'stuck' ? problem('reload_needed') : reason === 'loop' ? problem('sign_in_loop') : signedOut();
    tell(state, reason, trouble);
    human(missing || state, trouble).then(goOn, () => {});
  }

  function goOn() {
    forgive();
    tell('signed-in', 'session');
    core.expectTokens(0, 2);
  }

  // The rarer commands of Messenger.

  /** A silent code; else a person signs in, and one more. */
  async function codeOrHuman(reason = '', activated = false, forceUpdate = false) {
    try {
      const data = await core.freshCode(forceUpdate).catch(async (trouble) => {
        if (trouble.kind !== 'refused' || look().closed) throw trouble;
        await human(trouble.reason || reason, trouble, activated);
        return core.freshCode();
      });
      core.expectTokens(WATCH, 2);
      return data;
    } catch (trouble) {
      throw core.noted(/** @type {Problem} */ (trouble));
    }
  }

  async function reAuthenticate(data = {}, activated = false) {
    core.forgetTokens();
    reauthentications = recent(reauthentications, env.now());
    if (reauthentications.push(env.now()) > MOST_SIGN_INS) {
      core.rest('halted', 'loop');
      throw problem('sign_in_loop', 'refused');
    }
    return codeOrHuman('reauthenticate', activated);
  }

  const stepUp = (data = {}, activated = false) =>
    codeOrHuman('step_up', activated).then(
      (data) => {
        core.publish('signedIn', data);
        return data;
      },
      (trouble) => {
        const { code = '', message = '' } = trouble;
        core.publish('signInFailed', { code, message });
        throw trouble;
      },
    );

  const forcedCode = (data = {}, activated = false) => codeOrHuman('reauthenticate', activated, true);

  /** A code by way of the provider, in a hidden frame; if that is not to be, a person is needed. @param {any} front */
  async function frontCode(front) {
    try {
      const signIn = await signInRoom();
      const { done, code } = await signIn.silent({ base, ...front, call: bff.call, signal: stop.signal });
      if (!done) throw problem(code || 'login_required', 'refused');
      return await bff.call('/messenger/code', { transaction: front.id });
    } catch (trouble) {
      throw { .../** @type {any} */ (trouble), reason: 'code_needed' };
    }
  }

  // What the buttons of the page call.

  /** @param {{provider?: string}} [choice] */
  async function signIn(choice, activated = true) {
    provider = choice?.provider || provider;
    await core.check();
    const { session, authenticated } = look();
    if (!session || (session.signed_in && authenticated)) return;
    if (!session.signed_in) return human('sign_in', signedOut(), activated).then(askForTokens, core.noted);
    core.command('Auth.reAuthenticate').catch(() => {});
    core.expectTokens(WATCH, 2);
  }

  // Nobody else will: Messenger went on without a name meanwhile.
  const askForTokens = () => look().authenticated || core.expectTokens(0, 2);

  async function retry(choice = {}, activated = true) {
    if (look().resting === 'stuck') return page.reload();
    forgive();
    return signIn(choice, activated);
  }

  function forgive() {
    forgiveLoops();
    failure = '';
    cancelledAt = -LOOP_SPAN;
    reauthentications = [];
    core.forgive();
  }

  // Messenger first, then our server, then wherever the provider wants.
  async function signOutNow() {
    core.shutEvents();
    stop.abort();
    tell('signing-out');
    await core.leaveMessenger();
    const body = { return_to: page.returnTo(), origin: page.origin };
    const answer = await bff.call('/auth/logout', body).catch((trouble) => trouble);
    if (answer.kind && answer.kind !== 'refused') {
      tell('sign-out-failed', answer.kind, problem('sign_out_failed'));
      return core.openEvents();
    }
    core.forget(); // refused: it had ended already
    forgive();
    tell('signed-out', 'signed_out');
    page.go(answer.logout_url);
  }

  return {
    ...{ rest, reAuthenticate, stepUp, forcedCode, frontCode, signIn, retry, comeBack },
    signOut: () => (signingOut ??= signOutNow().finally(() => (signingOut = null))),
    abort: () => stop.abort(),
    asking: () => asking,
    leaving: () => leaving,
  };
}

/** @type {any} */ (globalThis).MessengerPerson ||= Object.freeze({ create: createPerson.bind(null, globalThis) });
})();

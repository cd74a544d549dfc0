// When a person is needed: one question for everybody who waits, and no command without an end.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createWorld, openPage, openSignedIn } from './rig.mjs';

const MINUTE = 60_000;
const ours = (page) => page.genesys.calls.filter((call) => call.name.startsWith('AuthProvider.'));
const settledOf = (page, name) => page.genesys.names('AuthProvider.' + name).map((call) => [call.resolved, call.rejected]);

/** A page on which nobody is signed in, and Messenger has asked for nothing yet. */
async function openAlone(options = {}) {
  const world = createWorld({ who: null });
  const page = openPage(world, { autoLogin: false, ...options });
  await world.clock.advance(500);
  return page;
}

const ask = (page, name, data) => void page.genesys.command('AuthProvider.' + name, data).catch(() => {});

/** The person signs in, in whatever window, and the dialog says so. */
async function signInBy(page, question) {
  page.bff.signIn();
  question.answer('signed-in');
  await page.clock.advance(3_000);
}

test('reAuthenticate without a click asks by the dialog, and nobody is sent anywhere', async () => {
  const page = await openSignedIn();
  page.bff.forget();
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.deepEqual(page.moves, []);
  const [{ needs }] = page.dialog.asked;
  assert.deepEqual(
    [needs.reason, needs.surface, needs.activated, needs.code, needs.base],
    ['reauthenticate', 'redirect', false, 'login_required', page.bff.base],
  );
  assert.deepEqual([page.auth.status().state, page.auth.status().reason], ['signing-in', 'dialog']);
});

test('while the dialog is open, a look at the page does not hide it from the state', async () => {
  const page = await openAlone();
  ask(page, 'reAuthenticate');
  await page.clock.advance(5_000);
  const before = page.bff.count('/auth/session');
  page.wake('focus');
  await page.clock.advance(1_000);
  assert.equal(page.bff.count('/auth/session'), before + 1);
  assert.equal(page.auth.status().state, 'signing-in');
});

test('the dialog gets what it needs: session, client, redirect, words of the brand', async () => {
  const page = await openAlone({ dataset: { provider: 'corporate', surface: 'popup' } });
  page.auth.use({ texts: { en: { go: 'In we go' } }, lang: 'de' });
  ask(page, 'signIn');
  await page.clock.advance(1_000);
  const [{ needs }] = page.dialog.asked;
  assert.equal(needs.reason, 'step_up');
  assert.deepEqual([needs.texts, needs.lang, needs.surface, needs.provider], [{ en: { go: 'In we go' } }, 'de', 'popup', 'corporate']);
  const asked = Promise.all([needs.session(), needs.call('/auth/session')]);
  await page.clock.advance(100);
  assert.deepEqual((await asked).map((answer) => answer.signed_in), [false, false]);
  assert.equal(needs.redirect(false), true);
  assert.equal(page.moves.length, 1);
});

test('one question for all that wait, and a code of its own for each', async () => {
  const page = await openAlone();
  for (const name of ['reAuthenticate', 'signIn', 'reAuthenticate']) ask(page, name);
  page.auth.signIn();
  await page.clock.advance(1_000);
  assert.equal(page.dialog.asked.length, 1);
  await signInBy(page, page.dialog.asked[0]);
  const codes = ours(page).filter((call) => call.value).map((call) => call.value.authCode);
  assert.ok(codes.length >= 3);
  assert.equal(new Set(codes).size, codes.length);
  assert.ok(ours(page).every((call) => call.resolved + call.rejected === 1));
  assert.equal(page.dialog.asked.length, 1);
});

test('after a sign-in by the page\'s own button the chat has its tokens at once', async () => {
  const page = await openAlone({ dataset: { surface: 'popup' } });
  void page.auth.signIn();
  await page.clock.advance(500);
  page.bff.signIn();
  page.dialog.asked[0].answer('signed-in');
  await page.clock.advance(1_000);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('"not now" rejects, says so, and is not asked again for five minutes unless somebody clicks', async () => {
  const page = await openAlone();
  ask(page, 'signIn');
  await page.clock.advance(1_000);
  page.dialog.asked[0].answer('cancelled');
  await page.clock.advance(100);
  assert.deepEqual(settledOf(page, 'signIn'), [[0, 1]]);
  assert.equal(page.genesys.names('AuthProvider.signIn')[0].error.code, 'sign_in_denied');
  assert.equal(page.genesys.events.filter(({ event }) => event === 'AuthProvider.signInFailed').length, 1);
  assert.deepEqual([page.auth.status().state, page.auth.status().reason], ['sign-in-failed', 'cancelled']);

  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.equal(page.dialog.asked.length, 1);
  assert.deepEqual(settledOf(page, 'reAuthenticate'), [[0, 1]]);

  await page.clock.advance(5 * MINUTE);
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.equal(page.dialog.asked.length, 2);
});

test('after "not now" a click is a wish', async () => {
  const page = await openAlone({ dataset: { surface: 'popup' } });
  ask(page, 'signIn');
  await page.clock.advance(1_000);
  page.dialog.asked[0].answer('cancelled');
  await page.clock.advance(100);
  page.click();
  ask(page, 'signIn');
  await page.clock.advance(1_000);
  assert.deepEqual(page.dialog.asked.map(({ needs }) => needs.activated), [false, true]);
  assert.deepEqual(page.moves, []);
});

test("a brand's own modal is asked, also after a click where the surface is a redirect", async () => {
  const page = await openAlone();
  const modal = async () => {};
  page.auth.use({ modal });
  page.click();
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.deepEqual(page.moves, []);
  assert.equal(page.dialog.asked[0].needs.modal, modal);
});

test('a site with a dialog of its own gets states only; its click still works', async () => {
  const page = await openAlone({ dataset: { dialog: 'none' } });
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.equal(page.dialog.asked.length, 0);
  assert.deepEqual(settledOf(page, 'reAuthenticate'), [[0, 1]]);
  const { state, code, message } = page.auth.status();
  assert.deepEqual([state, code, message], ['sign-in-failed', 'login_required', 'Sentence of login_required.']);
  page.click();
  page.auth.signIn();
  await page.clock.advance(1_000);
  assert.equal(page.moves.length, 1);
});

for (const file of ['messenger-person', 'messenger-sign-in']) {
  test(`${file} cannot be loaded, or never comes: the command ends and the state says so`, async () => {
    for (const how of ['fails', 'hangs']) {
      const page = await openAlone();
      const known = page.window.imports;
      page.window.imports = (url) => (!url.includes(file) ? known(url) : how === 'hangs' ? new Promise(() => {}) : Promise.reject(new TypeError('404')));
      for (const name of ['reAuthenticate', 'signIn']) ask(page, name);
      await page.clock.advance(11_000);
      assert.deepEqual([...settledOf(page, 'reAuthenticate'), ...settledOf(page, 'signIn')], [[0, 1], [0, 1]], how);
      assert.equal(page.genesys.names('AuthProvider.signIn')[0].error.code, 'unreachable');
      assert.ok(page.states().includes('unavailable'), how);
    }
  });
}

test('a script that failed is asked for again at another address', async () => {
  const page = await openAlone();
  const known = page.window.imports;
  const urls = [];
  page.window.imports = (url) => (urls.push(url), urls.length === 1 ? Promise.reject(new TypeError('404')) : known(url));
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.equal(new Set(urls).size, urls.length);
  assert.equal(page.dialog.asked.length, 1);
});

test('tokens that come by themselves take the question back, and the command is answered', async () => {
  const page = await openAlone();
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  const [question] = page.dialog.asked;
  await page.clock.advance(2_000);
  page.bff.signIn();
  page.wake('focus');
  await page.clock.advance(10_000);
  assert.equal(question.needs.signal.aborted, true);
  assert.deepEqual(settledOf(page, 'reAuthenticate'), [[1, 0]]);
  assert.equal(page.auth.status().state, 'authenticated');
  // It was no "not now": the next time somebody is asked again.
  page.bff.forget();
  ask(page, 'reAuthenticate');
  await page.clock.advance(1_000);
  assert.equal(page.dialog.asked.length, 2);
});

for (const how of ['signOut', 'dispose']) {
  test(`${how} takes the question back, and the command ends`, async () => {
    const page = await openAlone();
    ask(page, 'signIn');
    await page.clock.advance(1_000);
    void page.auth[how]();
    await page.clock.advance(3_000);
    assert.equal(page.dialog.asked[0].needs.signal.aborted, true);
    assert.deepEqual(settledOf(page, 'signIn'), [[0, 1]]);
    assert.equal(page.dialog.asked.length, 1);
  });
}

test('"leaving" leaves the commands open until the page is still here', async () => {
  const page = await openAlone();
  ask(page, 'signIn');
  await page.clock.advance(1_000);
  const [{ needs, answer }] = page.dialog.asked;
  assert.equal(needs.redirect(false), true);
  answer('leaving');
  await page.clock.advance(29_000);
  assert.deepEqual(settledOf(page, 'signIn'), [[0, 0]]);
  await page.clock.advance(2_000);
  assert.deepEqual(settledOf(page, 'signIn'), [[0, 1]]);
});

test('inside a frame of another site nobody is asked what cannot work: a sentence says so', async () => {
  for (const [embedded, access, asks] of [[true, false, 0], [true, true, 1], [false, false, 1], [true, undefined, 1]]) {
    const page = await openAlone({ dataset: { surface: 'popup' } });
    page.window.top = embedded ? {} : page.window;
    if (access !== undefined) page.window.document.hasStorageAccess = async () => access;
    ask(page, 'signIn');
    await page.clock.advance(1_000);
    assert.equal(page.dialog.asked.length, asks, `${embedded} ${access}`);
    if (asks) continue;
    assert.deepEqual(settledOf(page, 'signIn'), [[0, 1]]);
    assert.deepEqual([page.auth.status().state, page.auth.status().code], ['sign-in-failed', 'embedded']);
    assert.match(page.auth.status().message, /open this page by itself/);
  }
});

test('a stuck chat that the person reloads reloads the page', async () => {
  const page = await openSignedIn();
  page.genesys.modes.reAuthenticate = 'dead';
  page.genesys.modes.exchange = 400;
  page.genesys.pressReAuthenticate().catch(() => {});
  await page.clock.advance(5 * MINUTE);
  const [question] = page.dialog.open();
  assert.equal(question.needs.reason, 'stuck');
  question.answer('reload');
  await page.clock.advance(100);
  assert.deepEqual(page.moves, ['reload']);
});

test('Genesys does not answer an exchange: it is unavailable, tries a few times, and asks nobody', async () => {
  const world = createWorld();
  const page = openPage(world, { modes: { exchange: 503 } });
  await world.clock.advance(60 * MINUTE);
  assert.equal(page.dialog.asked.length, 0);
  assert.equal(page.auth.status().state, 'unavailable');
  const before = page.bff.requests.length;
  await world.clock.advance(600 * MINUTE);
  assert.equal(page.bff.requests.length, before);
  page.genesys.modes.exchange = 'normal';
  page.wake('focus');
  await world.clock.advance(MINUTE);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('a day of Genesys outages asks nobody, and the first look afterwards heals it', async () => {
  const page = await openSignedIn({ modes: { refresh: { status: 503 } } });
  await page.clock.advance(24 * 60 * MINUTE);
  assert.deepEqual([page.auth.status().state, page.auth.status().renewal], ['unavailable', 'resting']);
  assert.equal(page.genesys.names('Auth.refreshToken').length, 20);
  assert.equal(page.dialog.asked.length, 0);
  page.genesys.modes.refresh = 'normal';
  page.wake('focus');
  await page.clock.advance(MINUTE);
  assert.deepEqual([page.auth.status().state, page.auth.status().renewal], ['authenticated', 'scheduled']);
});

test('a fourth reAuthenticate within five minutes is a loop: one question, not another code', async () => {
  const page = await openSignedIn();
  page.genesys.modes.exchange = 400;
  for (let i = 0; i < 6; i++) {
    ask(page, 'reAuthenticate');
    await page.clock.advance(1_000);
  }
  assert.deepEqual(settledOf(page, 'reAuthenticate'), [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]);
  assert.deepEqual(page.dialog.asked.map(({ needs }) => [needs.reason, needs.code]), [['halted', 'sign_in_loop']]);
  assert.equal(page.states().filter((state) => state === 'halted').length, 1);
});

test('forceUpdate: silently while there is a session, by a question without one', async () => {
  const page = await openSignedIn();
  ask(page, 'getAuthCode', { forceUpdate: true });
  await page.clock.advance(1_000);
  assert.deepEqual(page.bff.requests.at(-1).body, { forceUpdate: true });
  page.bff.forget();
  ask(page, 'getAuthCode', { forceUpdate: true });
  await page.clock.advance(1_000);
  assert.equal(page.dialog.asked.length, 1);
  await signInBy(page, page.dialog.asked[0]);
  assert.deepEqual(settledOf(page, 'getAuthCode').at(-1), [1, 0]);
});

test('kept drafts are put back after a reload, and the dialog is not loaded for nothing', async () => {
  const world = createWorld();
  const plain = openPage(world);
  await world.clock.advance(1_000);
  assert.equal(plain.dialog.restored, 0);
  assert.deepEqual(plain.window.imported, []);
  world.tab.setItem('messenger-auth:drafts', '{}');
  const page = openPage(world);
  await world.clock.advance(1_000);
  assert.equal(page.dialog.restored, 1);
});

// Passthrough: the code comes from the provider, by way of a hidden frame.

const front = (page) => page.bff.answer(202, { front_channel: { id: 'front-1', url: `${page.bff.base}/messenger/authorize?transaction=front-1`, expires_in: 60 } });

test('a 202 sends a hidden frame to the provider, and the code is fetched afterwards', async () => {
  const page = await openAlone();
  page.bff.signIn();
  page.bff.faults['/messenger/code'] = [front(page)];
  ask(page, 'getAuthCode');
  await page.clock.advance(1_000);
  const [silent] = page.dialog.silents;
  assert.deepEqual([silent.id, silent.base, typeof silent.call], ['front-1', page.bff.base, 'function']);
  assert.deepEqual(page.bff.requests.filter(({ path }) => path === '/messenger/code').map(({ body }) => body), [{}, { transaction: 'front-1' }]);
  assert.deepEqual(settledOf(page, 'getAuthCode'), [[1, 0]]);
  assert.equal(page.dialog.asked.length, 0);
});

for (const [how, dialog] of [
  ['the frame never ends', { done: false }],
  ['the provider wants to see somebody', { done: true }],
]) {
  test(`${how}: reAuthenticate asks a person for a code`, async () => {
    const page = await openAlone();
    page.bff.signIn();
    page.dialog.silent = async () => dialog;
    page.bff.faults['/messenger/code'] = dialog.done
      ? [front(page), page.bff.refusal(401, 'interaction_required')]
      : [front(page)];
    ask(page, 'reAuthenticate');
    await page.clock.advance(1_000);
    assert.deepEqual(page.dialog.asked.map(({ needs }) => needs.reason), ['code_needed']);
    await signInBy(page, page.dialog.asked[0]);
    assert.deepEqual(settledOf(page, 'reAuthenticate'), [[1, 0]]);
  });
}

test('getAuthCode without a way to a code is refused at once, and as soon a person is asked for one', async () => {
  const page = await openAlone();
  page.bff.signIn();
  page.dialog.silent = async () => ({ done: false, code: 'login_required' });
  page.bff.faults['/messenger/code'] = { always: front(page) };
  ask(page, 'getAuthCode');
  await page.clock.advance(500);
  assert.deepEqual(settledOf(page, 'getAuthCode'), [[0, 1]]);
  const reasons = () => page.dialog.asked.map(({ needs }) => needs.reason);
  assert.deepEqual(reasons(), ['code_needed']);
  await page.clock.advance(MINUTE);
  assert.deepEqual(reasons(), ['code_needed'], 'once');
});

test('a BFF that lets no second frame try does not make it a question about the chat', async () => {
  const page = await openAlone();
  page.bff.signIn();
  page.dialog.silent = async () => ({ done: false, code: 'interaction_required' });
  page.bff.faults['/messenger/code'] = [front(page), ...Array(20).fill(page.bff.refusal(401, 'interaction_required'))];
  ask(page, 'getAuthCode');
  await page.clock.advance(500);
  ask(page, 'getAuthCode');
  await page.clock.advance(MINUTE);
  assert.deepEqual(page.dialog.asked.map(({ needs }) => needs.reason), ['code_needed']);
});

// How the script is loaded, what it shows to the page, and what it never shows to anybody.
import assert from 'node:assert/strict';
import test from 'node:test';
import { readFileSync } from 'node:fs';
import { createStorage, createWindow } from './fake_browser.mjs';
import { createGenesys, pasteSnippet } from './fake_genesys.mjs';
import { createWorld, openPage, openSignedIn, personSource, rooms, runAsScript, scriptOf, source } from './rig.mjs';

function createBare(world, options) {
  const made = createWindow({ ...world, ...options });
  return { ...made, genesys: createGenesys({ window: made.window, clock: world.clock, bff: world.bff }) };
}

const orders = {
  'before the snippet': (page, run) => { run(); pasteSnippet(page.window); page.genesys.load(); },
  'after the snippet': (page, run) => { pasteSnippet(page.window); run(); page.genesys.load(); },
  'after genesys.min.js': (page, run) => { pasteSnippet(page.window); page.genesys.load(); run(); },
  'twice': (page, run) => { run(); run(); pasteSnippet(page.window); page.genesys.load(); run(); },
};

for (const [name, order] of Object.entries(orders)) {
  test(`loaded ${name} it works, and registers once`, async () => {
    const world = createWorld();
    const page = createBare(world);
    let registered = 0;
    order(page, () => {
      runAsScript(page.window, scriptOf(world.bff));
      registered += 1;
    });
    await world.clock.advance(15_000);
    assert.ok(registered > 0);
    assert.equal(page.window.MessengerAuth.status().state, 'authenticated');
    assert.equal(world.bff.sources.size, 1);
    assert.equal(page.genesys.names('Auth.getTokens').length <= 1, true);
  });
}

test('without Genesys it installs the standard queue, and does not throw', async () => {
  const world = createWorld();
  const page = createBare(world);
  runAsScript(page.window, scriptOf(world.bff));
  await world.clock.advance(60_000);
  assert.equal(page.window.MessengerAuth.status().state, 'signed-in');
  assert.equal(page.window.Genesys.q.length, 1);
  assert.deepEqual([...page.window.Genesys.q[0]].slice(0, 2), ['registerPlugin', 'AuthProvider']);
});

test('a sign-in is possible even where Genesys never came', async () => {
  const world = createWorld({ who: null });
  const page = createBare(world);
  runAsScript(page.window, scriptOf(world.bff));
  await world.clock.advance(1_000);
  page.window.navigator.userActivation.isActive = true;
  page.window.MessengerAuth.signIn();
  await world.clock.advance(1_000);
  assert.equal(page.moves.length, 1);
});

test('it always calls window.Genesys afresh', async () => {
  const page = await openSignedIn();
  page.window.Genesys = () => assert.fail('a kept reference or a late global call');
  await page.clock.advance(60_000);
  assert.equal(page.auth.status().state, 'authenticated');
});

test('the deployment comes from the tag, else the snippet, else the configuration', async () => {
  for (const how of ['tag', 'snippet', 'configuration']) {
    const world = createWorld();
    const page = createBare(world);
    if (how === 'snippet') pasteSnippet(page.window);
    runAsScript(page.window, scriptOf(world.bff, how === 'tag' ? { deployment: 'from-the-tag' } : {}));
    if (how !== 'snippet') pasteSnippet(page.window);
    page.genesys.load();
    await world.clock.advance(3_000);
    const [key] = world.local.entries().map(([name]) => name).filter((name) => name.endsWith(':person'));
    assert.equal(key.includes('from-the-tag'), how === 'tag', how);
    assert.match(key, /^messenger-auth:.{10,}:person$/);
  }
});

test('the address of the server is that of the script, below whatever path it lives', async () => {
  const world = createWorld();
  const page = createBare(world);
  const seen = [];
  page.window.fetch = (url) => { seen.push(url); return new Promise(() => {}); };
  rooms.boot(page.window, { src: 'https://auth.brand.example/chat/static/messenger-auth.1a2b.js?v=3', dataset: {} });
  assert.deepEqual(seen, ['https://auth.brand.example/chat/auth/session']);
});

test('the global is frozen and cannot be replaced', async () => {
  const page = await openSignedIn();
  const { MessengerAuth } = page.window;
  assert.ok(Object.isFrozen(MessengerAuth));
  assert.deepEqual(Object.keys(MessengerAuth).sort(), ['deployment', 'dispose', 'of', 'on', 'openGuestChat', 'retry', 'signIn', 'signOut', 'status', 'use', 'version']);
  assert.throws(() => { page.window.MessengerAuth = {}; }, TypeError);
  assert.ok(Object.isFrozen(MessengerAuth.status()));
  assert.ok(page.details.every(Object.isFrozen));
});

test('a failed sign-in leaves the address bar and becomes a sentence', async () => {
  const cases = [
    ['#messenger-auth-error=sign_in_denied', '/shop?item=1'],
    ['#messenger-auth-error=sign_in_denied&tab=2', '/shop?item=1#tab=2'],
    ['#tab=2&messenger-auth-error=sign_in_denied', '/shop?item=1#tab=2'],
  ];
  for (const [hash, left] of cases) {
    const world = createWorld({ who: null });
    const page = openPage(world, { hash });
    const { location } = page.window;
    assert.equal(location.pathname + location.search + location.hash, left);
    await world.clock.advance(5_000);
    const { state, code, message } = page.auth.status();
    assert.deepEqual({ state, code }, { state: 'sign-in-failed', code: 'sign_in_denied' });
    assert.match(message, /cancelled or refused/);
  }
});

test('an unknown code in the address gives our sentence, never its own text', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world, { hash: '#messenger-auth-error=pay_100_at_evil' });
  await world.clock.advance(1_000);
  assert.equal(page.auth.status().message, 'The sign-in did not work. You can try again.');
  const odd = openPage(world, { hash: '#messenger-auth-error=<img>' });
  assert.notEqual(odd.auth.status().state, 'sign-in-failed');
});

test('a person who cancelled is not sent straight back: the dialog says what happened; a click goes', async () => {
  for (const clicked of [false, true]) {
    const world = createWorld({ who: null });
    const page = openPage(world, { hash: '#messenger-auth-error=sign_in_denied' });
    page.click(clicked);
    await world.clock.advance(1_000);
    page.genesys.pressReAuthenticate().catch(() => {});
    await world.clock.advance(1_000);
    assert.equal(page.moves.length, clicked ? 1 : 0);
    assert.deepEqual(page.dialog.asked.map(({ needs }) => needs.code), clicked ? [] : ['sign_in_denied']);
  }
});

test('the way back is this page, with its own fragment and without ours', async () => {
  const world = createWorld({ who: null });
  const page = openPage(world, { path: '/a/b?x=1&y=%2F', hash: '#part&messenger-auth-error=sign_in_denied' });
  await world.clock.advance(1_000);
  page.click();
  page.auth.signIn();
  await world.clock.advance(1_000);
  assert.equal(new URL(page.moves[0]).searchParams.get('return_to'), '/a/b?x=1&y=%2F#part');
  assert.equal(new URL(page.moves[0]).searchParams.has('provider'), false);
});

test('on() hears one state or all of them, survives a listener that throws, and can be taken off', async () => {
  const world = createWorld();
  const page = openPage(world, { load: false });
  const heard = { all: [], one: [], off: [] };
  page.auth.on('*', () => { throw new Error('a fault of the page'); });
  page.auth.on('*', (detail) => heard.all.push(detail.state));
  page.auth.on('authenticated', (detail) => heard.one.push(detail));
  page.auth.on('*', () => heard.off.push(1))();
  page.genesys.load();
  await world.clock.advance(3_000);
  assert.equal(page.reported.length, 2);
  assert.deepEqual(heard.all, ['signed-in', 'authenticated']);
  assert.equal(heard.one.length, 1);
  assert.equal(heard.one[0].name, 'anna');
  assert.deepEqual(heard.off, []);
});

test('after dispose nothing moves any more', async () => {
  const page = await openSignedIn();
  page.auth.dispose();
  const before = [page.bff.requests.length, page.genesys.calls.length, page.details.length];
  page.wake();
  page.show('visible');
  page.bff.end();
  page.genesys.publish('Auth', 'authenticated', { jwt: page.genesys.mint('tag-anna') });
  await page.clock.advance(24 * 3_600_000);
  assert.deepEqual([page.bff.requests.length, page.genesys.calls.length, page.details.length], before);
  assert.equal(page.timers.pending(), 0);
  assert.equal(page.bff.sources.size, 0);

  page.genesys.command('AuthProvider.getAuthCode').catch(() => {});
  await page.clock.advance(1_000);
  assert.equal(page.genesys.calls.at(-1).rejected, 1, 'Messenger is not left waiting');
});

test('no token, code or verifier is in an event, a log line or our storage', async () => {
  const page = await openSignedIn({ dataset: { debug: '' } });
  page.genesys.pressReAuthenticate().catch(() => {});
  await page.clock.advance(60 * 60_000);
  page.auth.signOut();
  await page.clock.advance(5_000);
  const own = [...page.local.entries(), ...page.tab.entries()].filter(([key]) => key.startsWith('messenger-auth'));
  const seen = JSON.stringify([page.details, page.logged, own, page.auth.status(), page.moves]);
  assert.ok(page.logged.length > 3, 'it did log');
  for (const secret of ['eyJ', 'c2lnbmF0dXJl', 'code-', 'verifier-', 'nonce-', 'refresh-']) {
    assert.ok(!seen.includes(secret), secret);
  }
});

test('without data-debug nothing is logged', async () => {
  const page = await openSignedIn();
  assert.deepEqual(page.logged, []);
});

test('the source needs no eval, no HTML sink, no inline style, and holds no name of the vendor Auth to register', () => {
  for (const sink of ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval(', 'new Function', 'style=', '.cssText', 'srcdoc']) {
    assert.ok(!source.includes(sink), sink);
  }
  assert.doesNotMatch(source, /registerCommand\(['"`]Auth\./);
});

test('a tab of its own keeps its own redirect count', async () => {
  const world = createWorld({ who: null });
  for (let i = 0; i < 4; i++) {
    const page = openPage({ ...world, tab: createStorage() }, { autoLogin: false });
    await world.clock.advance(500);
    page.click();
    page.genesys.pressReAuthenticate().catch(() => {});
    await world.clock.advance(1_000);
    assert.equal(page.moves.length, 1);
  }
});

/** A page on which `import()` does what a test says. */
async function openImporting(imports) {
  const world = createWorld();
  const { window } = createWindow(world);
  window.imports = (url) => imports(url, window);
  rooms.boot(window, scriptOf(world.bff));
  await world.clock.advance(1_000);
  return { ...world, window };
}

const install = (window) => (window.MessengerGuest = { open: (...words) => ({ opened: words }) });

test('a guest chat is loaded when it is asked for, once, from the server of the script', async () => {
  const loaded = [];
  const page = await openImporting(async (url, window) => void (loaded.push(url), install(window)));
  assert.deepEqual(loaded, [], 'not before');
  const chat = await page.window.MessengerAuth.openGuestChat({ resume: true });
  assert.deepEqual(chat.opened, [page.bff.base, { resume: true }]);
  await page.window.MessengerAuth.openGuestChat();
  assert.deepEqual(loaded, [`${page.bff.base}/static/messenger-guest.js?1`]);
});

test('a page that brings the script for guests itself has it loaded by nobody else', async () => {
  const page = await openImporting(() => assert.fail('loaded again'));
  install(page.window);
  assert.ok(await page.window.MessengerAuth.openGuestChat());
});

test('a script that could not be loaded is asked for again, at an address that did not fail', async () => {
  const asked = [];
  const page = await openImporting(async (url, window) => {
    asked.push(url);
    if (asked.length === 1) throw new TypeError('error loading dynamically imported module');
    install(window);
  });
  await assert.rejects(page.window.MessengerAuth.openGuestChat(), TypeError);
  assert.ok(await page.window.MessengerAuth.openGuestChat());
  assert.equal(new Set(asked).size, 2);
});

test('the manual names every state, reason, code and member', () => {
  const manual = readFileSync(new URL('../../docs/plugin.md', import.meta.url), 'utf8');
  const told = [...(source + personSource).matchAll(/tell\('([a-z-]+)'(?:, '([a-z_]+)')?/g)];
  assert.ok(told.length > 15);
  const codes = [...(source + personSource).matchAll(/^ {2}([a-z_]+): '[A-Z]/gm)].map(([, code]) => code);
  assert.equal(codes.length, 9);
  const renewals = [...source.matchAll(/(?:move|arm)\('([a-z-]+)'/g)].map(([, name]) => name);
  const wanted = [...told.map(([, state]) => state), ...codes, ...renewals, 'loading', 'openGuestChat(options)', 'retry()', 'dispose()', 'signOut()', 'signIn({provider})', 'use({modal, texts, lang})', 'of(deployment)', 'status()'];
  for (const word of wanted) assert.ok(manual.includes('`' + word), word);
});

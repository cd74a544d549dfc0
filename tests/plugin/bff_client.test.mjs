// What the page asks of our own server, and how refused and unreachable are told apart.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createBff as createFake } from './fake_bff.mjs';
import { rooms } from './rig.mjs';
import { createClock } from './virtual_clock.mjs';

function createBench() {
  const clock = createClock();
  const fake = createFake(clock);
  const timers = clock.timersOf('plugin');
  const drift = () => clock.local() - clock.elapsed();
  const env = { now: clock.local, drift, setTimeout: timers.setTimeout, clearTimeout: timers.clearTimeout, fetch: fake.fetch };
  const client = rooms.createBff(env, fake.base);
  /** The outcome of a call, after enough time for it. */
  const outcome = async (promise, milliseconds = 60_000) => {
    let seen = 'pending';
    promise.then((value) => (seen = { value }), (trouble) => (seen = { trouble }));
    await clock.advance(milliseconds);
    return seen;
  };
  return { clock, fake, client, timers, outcome };
}

test('every request carries credentials, and a POST the header that only our page can send', async () => {
  const { fake, client, outcome } = createBench();
  fake.signIn();
  await outcome(client.session());
  await outcome(client.code());
  await outcome(client.call('/auth/logout', { return_to: '/' }));

  const [session, code, logout] = fake.requests;
  for (const { options } of [session, code, logout]) {
    assert.equal(options.credentials, 'include');
    assert.equal(options.cache, 'no-store');
    assert.equal(options.redirect, 'error');
  }
  for (const { method, options } of [code, logout]) {
    assert.equal(method, 'POST');
    assert.equal(options.headers['X-CSRF'], '1');
    assert.equal(options.headers['Content-Type'], 'application/json');
  }
  assert.equal(session.method, 'GET');
  assert.deepEqual(code.body, {});
});

test('the auth data has exactly the names of the contract', async () => {
  const { fake, client, outcome } = createBench();
  fake.signIn();
  const { value } = await outcome(client.code());
  assert.deepEqual(Object.keys(value).sort(), ['authCode', 'codeVerifier', 'iss', 'nonce', 'redirectUri']);
  assert.equal(value.authCode, 'code-1');
});

test('forceUpdate is told to the server, which can mint without a login', async () => {
  const { fake, client, outcome } = createBench();
  fake.signIn();
  await outcome(client.code(true));
  assert.deepEqual(fake.requests[0].body, { forceUpdate: true });
});

test('401 is refused; 429, 5xx and a lost network are unreachable; the rest is wrong', async () => {
  const cases = [
    [401, 'refused'], [429, 'unreachable'], [500, 'unreachable'], [502, 'unreachable'], [503, 'unreachable'],
    [400, 'wrong'], [403, 'wrong'], [404, 'wrong'],
  ];
  for (const [status, kind] of cases) {
    const { fake, client, outcome } = createBench();
    fake.faults['/messenger/code'] = [fake.refusal(status, 'some_code')];
    const { trouble } = await outcome(client.code());
    assert.equal(trouble.kind, kind, `${status}`);
    assert.equal(trouble.code, 'some_code');
    assert.equal(trouble.message, 'Sentence of some_code.');
  }
  const { fake, client, outcome } = createBench();
  fake.faults['/messenger/code'] = ['network'];
  const { trouble } = await outcome(client.code());
  assert.equal(trouble.kind, 'unreachable');
  assert.equal(trouble.code, 'unreachable');
  assert.match(trouble.message, /does not answer/);
});

test('Retry-After is read in seconds', async () => {
  const { fake, client, outcome } = createBench();
  fake.faults['/messenger/code'] = [fake.refusal(503, 'store_unavailable', { 'Retry-After': '7' })];
  assert.equal((await outcome(client.code())).trouble.wait, 7_000);
});

test('a server that does not answer is given ten seconds', async () => {
  const { fake, client, outcome, timers } = createBench();
  fake.faults['/auth/session'] = ['hang'];
  assert.equal((await outcome(client.session(), 9_900)), 'pending');
  const again = createBench();
  again.fake.faults['/auth/session'] = ['hang'];
  assert.equal((await again.outcome(again.client.session(), 10_100)).trouble.kind, 'unreachable');
  assert.equal(again.timers.pending(), 0);
  assert.equal(timers.pending(), 1);
});

test("a captive portal's page is no answer", async () => {
  for (const body of ['<html>Please pay</html>', '{}', '[]', 'null']) {
    const { fake, client, outcome } = createBench();
    const page = fake.answer(200, body);
    fake.faults['/auth/session'] = [page];
    fake.faults['/messenger/code'] = { always: page };
    assert.equal((await outcome(client.session())).trouble.kind, 'unreachable', body);
    assert.equal((await outcome(client.code())).trouble.kind, 'unreachable', body);
  }
});

test('a code that grew old on its way is thrown away, and another one asked for', async () => {
  const { fake, client, outcome, clock } = createBench();
  fake.signIn();
  const pending = client.code();
  clock.sleep(55_000);
  const { value } = await outcome(pending);
  assert.equal(value.authCode, 'code-2');
});

test('a server that only has old codes is not asked for ever', async () => {
  const { fake, client, outcome } = createBench();
  const old = { authCode: 'c', redirectUri: 'r', expiresIn: 0.02 };
  fake.faults['/messenger/code'] = { always: fake.answer(200, old) };
  assert.equal((await outcome(client.code())).trouble.kind, 'unreachable');
  assert.equal(fake.count('/messenger/code'), 2);
});

test('the server clock is compared with the middle of the request', async () => {
  const { client, outcome, clock } = createBench();
  clock.setSkew(3_600_000);
  const { value } = await outcome(client.session());
  assert.ok(Math.abs(value.offset + 3_600_000) <= 1, `${value.offset}`);
});

test('a clock that is set while the answer is on its way does not spoil the comparison', async () => {
  const { client, outcome, clock } = createBench();
  const pending = client.session();
  clock.setSkew(3_600_000);
  const { value } = await outcome(pending);
  assert.ok(Math.abs(value.offset + 3_600_000) <= 1, `${value.offset}`);
});

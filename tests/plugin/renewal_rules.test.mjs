// The rules of renewal, one by one, on a clock turned by hand.
import assert from 'node:assert/strict';
import test from 'node:test';
import { makeJwt } from './fake_genesys.mjs';
import { rooms } from './rig.mjs';
import { createClock, createRandom } from './virtual_clock.mjs';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LIFE = 15 * MINUTE;

/** A renewal, and a Genesys that answers as `answer` says. */
function createBench({ life = LIFE, answer, skew = 0, serverOffset, saved, onDemand = false } = {}) {
  const clock = createClock();
  clock.setSkew(skew);
  const timers = clock.timersOf('renewal');
  const net = clock.timersOf('net');
  const bench = { clock, timers, fired: [], halted: [], asked: 0, rested: 0, serverOffset, visible: true, online: true, record: saved, answer, life };

  const mint = (from = clock.now()) => {
    const iat = Math.floor(from / 1000);
    return { iat, exp: iat + Math.floor(bench.life / 1000) };
  };
  bench.mint = mint;
  bench.minted = mint();

  const env = {
    now: clock.local,
    drift: () => clock.local() - clock.elapsed(),
    random: createRandom(7),
    visible: () => bench.visible,
    online: () => bench.online,
    setTimeout: timers.setTimeout,
    clearTimeout: timers.clearTimeout,
  };
  bench.renewal = rooms.createRenewal(env, {
    refresh() {
      bench.fired.push(clock.now());
      return new Promise((resolve, reject) => {
        net.setTimeout(() => {
          const how = bench.answer ? bench.answer(bench.fired.length) : 'normal';
          if (how === 'hang') return;
          if (typeof how === 'object') return reject(how);
          const valid = clock.now() < bench.minted.exp * 1000;
          if (how === 'normal' || (how === 'early' && !valid)) {
            bench.minted = mint();
            net.setTimeout(() => bench.arrive(), 0);
          }
          if (how === 'same') net.setTimeout(() => bench.arrive(), 0);
          resolve();
        }, 60);
      });
    },
    saved: () => bench.record,
    save: (record) => void (bench.record = record),
    serverOffset: () => bench.serverOffset,
    async ask() {
      bench.asked += 1;
      if (bench.serverOffset !== undefined) bench.serverOffset = clock.now() - clock.local();
      bench.renewal.looked();
    },
    halted: (reason) => void bench.halted.push(reason),
    resting: () => void (bench.rested += 1),
    onDemand,
  });
  bench.arrive = (claims = bench.minted, fresh = true) => bench.renewal.accept(claims, fresh);
  return bench;
}

async function dayOf(options, hours = 24) {
  const bench = createBench(options);
  bench.arrive();
  let expired = 0;
  for (let minute = 0; minute < hours * 60; minute++) {
    await bench.clock.advance(MINUTE);
    if (bench.clock.now() > bench.minted.exp * 1000 + 10_000) expired += 1;
  }
  return { bench, calls: bench.fired.length, expired };
}

const maxIn = (times, span) => Math.max(...times.map((t) => times.filter((u) => u >= t && u < t + span).length));

test('a token of sixty days is left alone for 59 days, and no timer is longer than browsers can count', async () => {
  const bench = createBench({ life: 60 * 24 * HOUR });
  bench.visible = false;
  bench.arrive();
  assert.ok(bench.timers.delays().every((delay) => delay <= 0x7fffffff));

  await bench.clock.advance(59 * 24 * HOUR);

  assert.equal(bench.fired.length, 0);
  assert.equal(bench.timers.pending(), 1);
});

test('it is due two seconds before the end, or half a life for a very short one', async () => {
  const bench = createBench();
  bench.arrive();
  await bench.clock.advance(LIFE - 2_001);
  assert.equal(bench.fired.length, 0);
  await bench.clock.advance(2);
  assert.equal(bench.fired.length, 1);
});

test('no two renewals start within ten seconds, however short the life', async () => {
  const bench = createBench({ life: 3_000 });
  bench.arrive();
  await bench.clock.advance(9_900);
  assert.equal(bench.fired.length, 0);
  await bench.clock.advance(200);
  assert.equal(bench.fired.length, 1);
});

test('a stored token that has ended is renewed at once, without the floor of ten seconds', async () => {
  const bench = createBench();
  bench.arrive(bench.mint(bench.clock.now() - HOUR), false);
  await bench.clock.advance(1);
  assert.equal(bench.fired.length, 1);
});

test('only a greater exp is progress', () => {
  const bench = createBench();
  const { exp, iat } = bench.minted;
  assert.equal(bench.arrive({ exp, iat }), true);
  assert.equal(bench.arrive({ exp, iat }), false);
  assert.equal(bench.arrive({ exp: exp - 1, iat }), false);
  assert.equal(bench.arrive(null), false);
  assert.equal(bench.arrive({ exp: exp + 1, iat: iat + 1 }), true);
});

test('the same token again inside a renewal does not refill the budget', async () => {
  const { bench, calls } = await dayOf({ answer: () => 'same' }, 2);
  assert.ok(calls <= 5);
  assert.equal(bench.halted.length, 1);
});

test('the deadline is counted from the arrival, and the skew of that moment is kept', () => {
  const now = 5_000_000;
  const { offsetOf } = rooms;
  const minted = { iat: 1_000, exp: 1_900 };
  assert.equal(offsetOf(minted, now, true), 1_000_000 - now);
  const saved = { exp: 1_900, offset: -4_000_000 };
  assert.equal(offsetOf(minted, now + HOUR, false, saved), -4_000_000, 'read back an hour later');
  assert.equal(offsetOf(minted, now + HOUR, true, saved), -4_000_000, 'and when an old token is announced as new');
  assert.equal(offsetOf(minted, now, false, { exp: 7, offset: 1 }), 0, 'the record of another token');
  assert.equal(offsetOf({ exp: 1_900 }, now, true), 0, 'nothing known');
  assert.equal(offsetOf(minted, now, false, { exp: 1_900, offset: 'junk' }), 0);
});

test('after a reload a wrong clock is still known to be wrong', async () => {
  const first = createBench({ skew: HOUR });
  first.arrive();
  const second = createBench({ skew: HOUR, saved: first.record });
  await second.clock.advance(5 * MINUTE);
  second.arrive(first.minted, false);
  await second.clock.advance(9 * MINUTE);
  assert.equal(second.fired.length, 0, 'not early, though the clock says that it ended long ago');
  await second.clock.advance(MINUTE);
  assert.equal(second.fired.length, 1);
});

test('a token without iat goes by the clock of our own server', async () => {
  const bench = createBench({ skew: HOUR, serverOffset: -HOUR });
  bench.arrive({ exp: bench.minted.exp, iat: 0 });
  await bench.clock.advance(LIFE - 3_000);
  assert.equal(bench.fired.length, 0);
  await bench.clock.advance(3_000);
  assert.equal(bench.fired.length, 1);
});

for (const [how, by] of [['back', -1], ['ahead', 1]]) {
  test(`a clock that is put ${how} in mid-life moves no renewal: the server is asked once`, async () => {
    const bench = createBench({ serverOffset: 0 });
    bench.arrive();
    await bench.clock.advance(MINUTE);
    bench.clock.setSkew(by * HOUR);
    await bench.clock.advance(13 * MINUTE);
    assert.deepEqual([bench.fired.length, bench.asked], [0, 1]);
    await bench.clock.advance(MINUTE);
    assert.equal(bench.fired.length, 1);
    await bench.clock.advance(LIFE);
    assert.deepEqual([bench.fired.length, bench.asked], [2, 1]);
  });
}

test('a clock that was put back while a tab was hidden is noticed when it is shown', async () => {
  const bench = createBench({ serverOffset: 0 });
  bench.arrive();
  bench.visible = false;
  bench.renewal.wake();
  bench.clock.setSkew(-HOUR);
  await bench.clock.advance(LIFE + MINUTE);
  assert.deepEqual([bench.fired.length, bench.asked], [0, 0]);
  bench.visible = true;
  bench.renewal.wake();
  await bench.clock.advance(1_000);
  assert.deepEqual([bench.fired.length, bench.asked], [1, 1]);
});

test('a token that comes between the jump and the answer is not measured by the wrong clock', async () => {
  const bench = createBench({ serverOffset: 0 });
  bench.arrive();
  bench.clock.setSkew(HOUR);
  await bench.clock.advance(MINUTE / 2 - 1);
  bench.arrive((bench.minted = bench.mint()));
  assert.equal(bench.record.offset, 0);
});

test('what one page learned of early renewals, the next page and the other tabs know', async () => {
  const first = createBench({ answer: () => 'early' });
  first.arrive();
  await first.clock.advance(2 * LIFE + 5_000);
  assert.equal(first.fired.length, 3, 'once too early, then each life once');
  const second = createBench({ answer: () => 'early', saved: { ...first.record, exp: 0 } });
  second.arrive();
  await second.clock.advance(2 * LIFE + 5_000);
  assert.equal(second.fired.length, 2);
  assert.equal(second.record.late, true, 'and hands it on');
});

test('a hundred repeated events leave one timer', async () => {
  const bench = createBench();
  for (let i = 0; i < 100; i++) bench.arrive({ exp: bench.minted.exp + i, iat: bench.minted.iat + i });
  assert.equal(bench.timers.pending(), 1);
  for (let i = 0; i < 100; i++) bench.arrive();
  assert.equal(bench.timers.pending(), 1);
});

test('a visible tab that slept for eight hours makes one call within a tick', async () => {
  const bench = createBench();
  bench.arrive();
  await bench.clock.advance(MINUTE);
  bench.clock.sleep(8 * HOUR);
  assert.equal(bench.fired.length, 0);
  await bench.clock.advance(31_000);
  assert.equal(bench.fired.length, 1);
});

test('a hidden tab makes no call, and one when it is shown, however many wake-ups come with it', async () => {
  const bench = createBench();
  bench.arrive();
  bench.visible = false;
  bench.renewal.wake();
  await bench.clock.advance(HOUR);
  assert.equal(bench.fired.length, 0);
  assert.equal(bench.renewal.status(), 'due-hidden');

  bench.visible = true;
  for (let i = 0; i < 10; i++) bench.renewal.wake();
  await bench.clock.advance(MINUTE);
  assert.equal(bench.fired.length, 1);
});

test('a hidden tab waits on one long timer, not on ticks', async () => {
  const bench = createBench();
  bench.visible = false;
  bench.arrive();
  assert.deepEqual(bench.timers.delays().map((delay) => delay > 10 * MINUTE), [true]);
});

test('offline burns no attempt: nothing for an hour, then one call', async () => {
  const bench = createBench();
  bench.arrive();
  bench.online = false;
  await bench.clock.advance(HOUR);
  assert.equal(bench.fired.length, 0);
  assert.equal(bench.renewal.status(), 'offline');

  bench.online = true;
  bench.renewal.wake();
  await bench.clock.advance(MINUTE);
  assert.equal(bench.fired.length, 1);
});

test('a failure while the network goes away burns no attempt either', async () => {
  let lost = 0;
  const bench = createBench({ answer: () => { bench.online = false; lost += 1; return { message: 'network' }; } });
  bench.arrive();
  await bench.clock.advance(LIFE);
  for (let i = 0; i < 24; i++) {
    bench.online = true;
    bench.renewal.wake();
    await bench.clock.advance(MINUTE);
  }
  assert.equal(lost, 25);
  assert.deepEqual([bench.halted, bench.rested], [[], 0]);
});

test('Retry-After is a floor under the back-off', async () => {
  const bench = createBench({ answer: (n) => (n === 1 ? { status: 429, retryAfter: 120 } : 'normal') });
  bench.arrive();
  await bench.clock.advance(LIFE + 10 * MINUTE);
  assert.equal(bench.fired.length, 2);
  assert.ok(bench.fired[1] - bench.fired[0] >= 120_000);
});

test('back-off has jitter between half a second and the doubled time, one minute at most', () => {
  const { backoff } = rooms;
  assert.equal(backoff(1, () => 0), 500);
  assert.equal(backoff(1, () => 1), 2_500);
  assert.equal(backoff(3, () => 1), 8_500);
  assert.equal(backoff(40, () => 1), 60_500);
  assert.equal(backoff(1, () => 0, 9_000), 9_000);
  assert.equal(backoff(1, () => 0, NaN), 500);
});

test('silence is no refusal: twenty tries within a quarter of an hour, then rest, and nobody is asked', async () => {
  for (const how of [{ status: 503 }, { message: 'network' }]) {
    const { bench, calls } = await dayOf({ answer: () => how });
    assert.equal(calls, 20);
    assert.deepEqual(bench.halted, []);
    assert.equal(bench.rested, 1);
    assert.equal(bench.renewal.status(), 'resting');
    assert.equal(bench.timers.pending(), 0);
    assert.ok(bench.fired[19] - bench.fired[0] < LIFE);
  }
});

test('back-off between tries is never longer than a minute and a half second', async () => {
  const { bench } = await dayOf({ answer: () => ({ status: 503 }) }, 2);
  const pauses = bench.fired.slice(1).map((at, index) => at - bench.fired[index]);
  assert.ok(pauses.every((pause) => pause <= 60_500 + 100), `${pauses}`);
});

test('whoever wakes a resting renewal starts it over, and the token comes once it is answered again', async () => {
  const { bench } = await dayOf({ answer: () => ({ status: 503 }) }, 2);
  bench.renewal.wake();
  await bench.clock.advance(20 * MINUTE);
  assert.equal(bench.fired.length, 40);
  assert.equal(bench.renewal.status(), 'resting');
  bench.answer = () => 'normal';
  bench.renewal.wake();
  await bench.clock.advance(MINUTE);
  assert.equal(bench.renewal.status(), 'scheduled');
  assert.deepEqual(bench.halted, []);
});

test('an outage does not use up the tries of a server without progress, nor the other way round', async () => {
  const script = ['noop', { status: 503 }, 'noop', { status: 503 }, { status: 503 }, 'noop', { status: 503 }, 'normal'];
  const { bench } = await dayOf({ answer: (n) => script[n - 1] || 'normal' }, 2);
  assert.deepEqual([bench.halted, bench.rested], [[], 0]);
  assert.equal(bench.renewal.status(), 'scheduled');
});

test('progress gives the attempts back', async () => {
  const { bench, calls } = await dayOf({ answer: (n) => (n % 4 ? { status: 503 } : 'normal') }, 2);
  assert.ok(calls >= 28, `${calls} calls`);
  assert.deepEqual(bench.halted, []);
});

test('a refusal after the end halts at once; one before the end may mean "too early"', async () => {
  const { bench, calls } = await dayOf({ answer: () => ({ status: 400, message: 'invalid_grant' }) }, 2);
  assert.equal(calls, 2);
  assert.deepEqual(bench.halted, ['refused']);
  assert.ok(bench.fired[1] >= bench.fired[0] + 2_250);

  const stale = createBench({ answer: () => ({ message: 'invalid_grant' }) });
  stale.arrive(stale.mint(stale.clock.now() - HOUR), false);
  await stale.clock.advance(MINUTE);
  assert.equal(stale.fired.length, 1);
  assert.deepEqual(stale.halted, ['refused']);
});

test('a command that never answers is silence too', async () => {
  const { bench, calls } = await dayOf({ answer: () => 'hang' }, 2);
  assert.equal(calls, 20);
  assert.deepEqual([bench.halted, bench.rested], [[], 1]);
});

test('a stale answer after a newer token changes nothing', async () => {
  const bench = createBench({ answer: () => ({ status: 401 }) });
  bench.arrive();
  await bench.clock.advance(LIFE - 1_990);
  assert.equal(bench.renewal.status(), 'refreshing');
  bench.arrive({ iat: bench.minted.iat + 898, exp: bench.minted.exp + 898 });
  await bench.clock.advance(10_000);
  assert.equal(bench.renewal.status(), 'scheduled');
  assert.deepEqual(bench.halted, []);
  assert.equal(bench.timers.pending(), 1);
});

test('a stale answer after a sign-out changes nothing', async () => {
  const bench = createBench({ answer: () => ({ status: 401 }) });
  bench.arrive();
  await bench.clock.advance(LIFE - 1_990);
  bench.renewal.reset();
  await bench.clock.advance(HOUR);
  assert.equal(bench.renewal.status(), 'idle');
  assert.deepEqual(bench.halted, []);
  assert.equal(bench.timers.pending(), 0);
  assert.equal(bench.fired.length, 1);
});

test('an event that comes late, but within five seconds of the answer, is progress', async () => {
  const bench = createBench({ answer: () => 'noop' });
  bench.arrive();
  await bench.clock.advance(LIFE + 2_000);
  assert.equal(bench.renewal.status(), 'refreshing');
  bench.arrive(bench.mint());
  assert.equal(bench.renewal.status(), 'scheduled');
  await bench.clock.advance(MINUTE);
  assert.equal(bench.fired.length, 1);
});

test('halted means halted: no wake-up makes a call, a newer token does away with it', async () => {
  const { bench } = await dayOf({ answer: () => 'noop' }, 1);
  const before = bench.fired.length;
  for (let i = 0; i < 50; i++) {
    bench.renewal.wake();
    await bench.clock.advance(MINUTE);
  }
  assert.equal(bench.fired.length, before);

  bench.arrive(bench.mint());
  assert.equal(bench.renewal.status(), 'scheduled');
});

test('a storm has a ceiling of seventy calls in ten minutes', async () => {
  const bench = createBench();
  let exp = bench.minted.exp;
  for (let i = 0; i < 200; i++) {
    bench.arrive({ exp: ++exp, iat: 0 }, false); // each is old news by this clock
    bench.clock.setSkew(10 * 24 * HOUR);
    bench.renewal.wake();
    await bench.clock.advance(500);
  }
  assert.ok(maxIn(bench.fired, 10 * MINUTE) <= 70, `${bench.fired.length}`);
  assert.ok(bench.halted.includes('too_many_renewals'));
});

test('a sign-out keeps what was learned about early refusals: it is the way of Genesys', async () => {
  const bench = createBench({ answer: () => 'early' });
  bench.arrive();
  await bench.clock.advance(LIFE + MINUTE);
  assert.equal(bench.fired.length, 2);
  bench.renewal.reset();
  bench.minted = bench.mint();
  bench.arrive();
  await bench.clock.advance(LIFE - 1_000);
  assert.equal(bench.fired.length, 2);
  await bench.clock.advance(2_000);
  assert.equal(bench.fired.length, 3);
});

test('names of every alphabet decode, junk does not', () => {
  const { decodeJwt } = rooms;
  for (const name of ['John', 'Zoë ÿ?>', '☃😀', '李小龙', 'Ångström>>>???']) {
    assert.deepEqual(decodeJwt(makeJwt({ name, exp: 2_000, iat: 1_000 })), { exp: 2_000, iat: 1_000 });
  }
  for (const junk of [undefined, null, '', 'a', 'a.b', 'a.b.c', '..', 17, {}, makeJwt({}), makeJwt({ exp: '9' }), makeJwt({ exp: null })]) {
    assert.equal(decodeJwt(junk), null);
  }
  assert.deepEqual(decodeJwt(makeJwt({ exp: 5, iat: 9 })), { exp: 5, iat: 0 }, 'an iat after the end is none');
});

test('a day of fifteen-minute tokens costs one call a life, and the token is never old', async () => {
  const { calls, expired } = await dayOf({});
  assert.ok(calls >= 95 && calls <= 97, `${calls} calls`);
  assert.equal(expired, 0);
});

test('a Genesys that refuses early costs two calls in the first life and one in each after it', async () => {
  const { bench, calls, expired } = await dayOf({ answer: () => 'early' });
  assert.ok(calls >= 95 && calls <= 97, `${calls} calls`);
  assert.equal(expired, 0);
  const start = bench.fired[0];
  assert.equal(bench.fired.filter((at) => at < start + LIFE - MINUTE).length, 2);
  assert.equal(bench.fired.filter((at) => at > start + MINUTE && at < start + LIFE + MINUTE).length, 1);
});

for (const [name, skew] of [['an hour fast', HOUR], ['an hour slow', -HOUR], ['a day fast', 24 * HOUR], ['a day slow', -24 * HOUR]]) {
  test(`a clock that is ${name} changes nothing`, async () => {
    const { calls, expired } = await dayOf({ skew, answer: () => 'early' });
    assert.ok(calls >= 95 && calls <= 97, `${calls} calls`);
    assert.equal(expired, 0);
  });
}

test('without progress it stops after five calls, for ever', async () => {
  for (const how of ['noop', 'same']) {
    const { bench, calls } = await dayOf({ answer: () => how });
    assert.ok(calls >= 4 && calls <= 5, `${how}: ${calls} calls`);
    assert.deepEqual(bench.halted, ['no_progress']);
    assert.equal(bench.renewal.status(), 'halted');
    assert.equal(bench.timers.pending(), 0);
  }
});

test('sixty-second tokens cost one call a life', async () => {
  const { calls } = await dayOf({ life: MINUTE });
  assert.ok(calls >= 1_400 && calls <= 1_500, `${calls} calls`);
});

test('one-second tokens never cost more than 61 calls in ten minutes', async () => {
  const { bench, calls } = await dayOf({ life: 1_000 }, 2);
  assert.ok(maxIn(bench.fired, 10 * MINUTE) <= 61, `${maxIn(bench.fired, 10 * MINUTE)} calls`);
  assert.ok(calls > 600, 'it goes on all the same');
});

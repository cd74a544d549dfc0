// A day against each kind of server and clock costs no more than the prototype's did, and every rest is one.
import assert from 'node:assert/strict';
import test from 'node:test';
import { dayWith, PROTOTYPE, SERVERS, SKEWS, wholeTable } from './day_table.mjs';

const table = await wholeTable();
const rowsOf = (server) => table.filter((row) => row.server === server).map((row) => row.seen);

test('as good as the prototype everywhere: calls, renewals, and the time with an expired JWT', () => {
  const measured = Object.values(PROTOTYPE).flatMap(Object.values).length;
  const compared = table.filter((row) => row.prototype);
  assert.equal(compared.length, measured);
  for (const { server, skew, seen, prototype: [calls, renewals, share] } of compared) {
    const because = `${server}, ${skew}: ${JSON.stringify(seen)}`;
    assert.ok(seen.calls <= calls, because);
    if (renewals !== null) assert.ok(seen.renewals >= renewals, because);
    if (share !== null) assert.ok(seen.share < share + 0.005, because);
  }
});

test('a wrong clock changes nothing: not a call more or less, whatever the server does', () => {
  assert.equal(table.length, Object.keys(SERVERS).length * Object.keys(SKEWS).length);
  for (const server of Object.keys(SERVERS)) {
    const [right, ...wrong] = rowsOf(server);
    for (const seen of wrong) assert.deepEqual([seen.calls, seen.renewals], [right.calls, right.renewals], server);
  }
});

test('outages of three minutes in every hour cost tries, but no question, no rest and hardly any time', () => {
  for (const seen of rowsOf('5xx bursts')) {
    assert.deepEqual([seen.halted, seen.rested], ['', 0]);
    assert.ok(seen.renewals >= 85, `${seen.renewals} renewals`);
    assert.ok(seen.share < 0.06, `${seen.share}`);
    assert.ok(seen.calls < 96 + 24 * 12, `${seen.calls} calls`);
  }
});

test('a server that never answers well again costs twenty calls, then none, and nobody is asked', () => {
  for (const seen of rowsOf('always 503')) assert.deepEqual([seen.calls, seen.halted, seen.rested], [20, '', 1]);
});

test('a server without progress costs five calls, then none', () => {
  for (const seen of rowsOf('never progresses')) assert.deepEqual([seen.calls, seen.halted], [5, 'no_progress']);
});

test('tokens of sixty days, a minute and a second', () => {
  for (const seen of rowsOf('60-day tokens')) assert.equal(seen.calls, 0);
  for (const seen of rowsOf('60-s tokens')) assert.ok(seen.calls >= 1_400 && seen.calls <= 1_500, `${seen.calls}`);
  for (const seen of rowsOf('1-s tokens')) assert.ok(seen.calls <= 61 * 144 && seen.calls > 8_000, `${seen.calls}`);
});

test('on demand a day on one socket costs nothing, whatever the server and the clock', async () => {
  for (const how of Object.values(SERVERS)) {
    if (how.life < 60_000) continue; // over before the first look
    for (const skew of Object.values(SKEWS)) assert.equal((await dayWith(how, skew, true)).calls, 0);
  }
});

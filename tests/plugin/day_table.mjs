// What 24 hours cost: calls · renewals · share of the time with an expired JWT, for each way a server and a
// clock can be wrong. Run it to see the table; day_costs.test.mjs compares it with the figures it began from.
import { pathToFileURL } from 'node:url';
import { rooms } from './rig.mjs';
import { createClock, createRandom } from './virtual_clock.mjs';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LATENCY = 120; // 60 ms each way

/** Every hour Genesys answers 503 for three minutes. */
const burst = (now, start) => (now - start) % HOUR < 3 * MINUTE && now - start > MINUTE;

/** name -> life of a token, and how the n-th call is answered: `new`, `none`, or an error. */
export const SERVERS = {
  normal: { life: 15 * MINUTE, answer: () => 'new' },
  'refuses early': { life: 15 * MINUTE, answer: ({ valid }) => (valid ? 'none' : 'new') },
  'never progresses': { life: 15 * MINUTE, answer: () => 'none' },
  '5xx bursts': { life: 15 * MINUTE, answer: ({ now, start, valid }) => (burst(now, start) ? { status: 503 } : valid ? 'none' : 'new') },
  'always 503': { life: 15 * MINUTE, answer: () => ({ status: 503 }) },
  '60-day tokens': { life: 60 * DAY, answer: () => 'new' },
  '60-s tokens': { life: MINUTE, answer: () => 'new' },
  '1-s tokens': { life: SECOND, answer: () => 'new' },
};

export const SKEWS = { 0: 0, '+1 h': HOUR, '-1 h': -HOUR, '+1 d': DAY, '-1 d': -DAY };

/** Of the prototype that the rules come from; a dash where nothing was measured. */
export const PROTOTYPE = {
  normal: { 0: [96, 96, 0], '+1 h': [96, 96, 0] },
  'refuses early': { 0: [96, 95, 0] },
  'never progresses': { 0: [5, 0, null] },
  '60-s tokens': { 0: [1_486, null, null] },
};

/** One visible page for a day. */
export async function dayWith({ life, answer }, skew = 0, onDemand = false) {
  const clock = createClock();
  clock.setSkew(skew);
  const timers = clock.timersOf('renewal');
  const net = clock.timersOf('net');
  const start = clock.now();
  const seen = { calls: 0, renewals: 0, halted: '', rested: 0, expired: 0 };
  let exp = 0;
  let expiredSince = 0;

  function mint() {
    if (expiredSince) seen.expired += Math.max(0, clock.now() - expiredSince);
    const iat = Math.floor(clock.now() / SECOND);
    exp = iat + Math.max(1, life / SECOND);
    expiredSince = exp * SECOND;
    return { exp, iat };
  }

  function refresh() {
    seen.calls += 1;
    return new Promise((resolve, reject) => {
      net.setTimeout(() => {
        const now = clock.now();
        const how = answer({ n: seen.calls, now, start, valid: now < exp * SECOND });
        if (typeof how === 'object') return reject(how);
        if (how === 'new') {
          seen.renewals += 1;
          const claims = mint();
          net.setTimeout(() => renewal.accept(claims, true), 0);
        }
        resolve();
      }, LATENCY);
    });
  }

  let saved;
  const renewal = rooms.createRenewal(
    { now: clock.local, drift: () => clock.local() - clock.elapsed(), random: createRandom(3), visible: () => true, online: () => true, ...timers },
    {
      onDemand,
      refresh,
      saved: () => saved,
      save: (record) => void (saved = record),
      serverOffset: () => undefined,
      halted: (reason) => void (seen.halted = reason),
      resting: () => void (seen.rested += 1),
    },
  );
  renewal.accept(mint(), true);
  await clock.advance(DAY);
  seen.expired += Math.max(0, clock.now() - expiredSince);
  return { ...seen, share: seen.expired / DAY };
}

/** @returns {Promise<{server: string, skew: string, seen: any, prototype: any}[]>} */
export async function wholeTable() {
  const rows = [];
  for (const [server, how] of Object.entries(SERVERS)) {
    for (const [skew, milliseconds] of Object.entries(SKEWS)) {
      rows.push({ server, skew, seen: await dayWith(how, milliseconds), prototype: PROTOTYPE[server]?.[skew] });
    }
  }
  return rows;
}

const percent = (share) => (share === null ? '–' : `${(share * 100).toFixed(0)} %`);
const cell = (list) => (list ? [list[0], list[1] ?? '–', percent(list[2])].join(' · ') : '–');

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log('server            skew   calls · renewals · expired   prototype');
  for (const { server, skew, seen, prototype } of await wholeTable()) {
    const ending = seen.halted ? ` halted: ${seen.halted}` : seen.rested ? ' rests' : '';
    const mine = cell([seen.calls, seen.renewals, seen.share]) + ending;
    console.log(`${server.padEnd(18)}${skew.padEnd(7)}${mine.padEnd(42)}${cell(prototype)}`);
  }
}

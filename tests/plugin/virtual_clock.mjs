// Time that only moves when a test says so; browsers' odd rules for timers are kept.

const LONGEST = 0x7fffffff;
const MOST_STEPS = 200_000;

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * @param {number} [start] true time, as a server sees it, in milliseconds
 * @param {() => Promise<any>} [flush] lets everything happen that needs no time
 */
export function createClock(start = Date.UTC(2026, 8, 1), flush = nextTurn) {
  let now = start;
  let skew = 0;
  let slept = 0;
  let count = 0;
  const timers = new Map();

  const next = () => {
    let first = null;
    for (const timer of timers.values()) {
      if (!first || timer.at < first.at || (timer.at === first.at && timer.id < first.id)) first = timer;
    }
    return first;
  };

  return {
    /** True time. */
    now: () => now,
    /** What this computer believes. */
    local: () => now + skew,
    /** What was counted while the computer was awake: no clock that is set changes it. */
    elapsed: () => now - start - slept,
    setSkew: (milliseconds) => void (skew = milliseconds),
    /** Timers that belong to `owner`, so that its pending ones can be counted. */
    timersOf: (owner) => ({
      setTimeout(then, delay = 0) {
        const sane = delay > 0 && delay <= LONGEST ? delay : 0; // beyond 2^31-1, and NaN: at once
        timers.set(++count, { id: count, owner, at: now + sane, delay, then });
        return count;
      },
      clearTimeout: (id) => void timers.delete(id),
      pending: () => [...timers.values()].filter((timer) => timer.owner === owner).length,
      delays: () => [...timers.values()].filter((timer) => timer.owner === owner).map((timer) => timer.delay),
    }),
    flush,
    async advance(milliseconds) {
      const target = now + milliseconds;
      await flush();
      for (let steps = 0; ; steps++) {
        if (steps > MOST_STEPS) throw new Error('a storm of timers');
        const timer = next();
        if (!timer || timer.at > target) break;
        now = Math.max(now, timer.at);
        timers.delete(timer.id);
        timer.then();
        await flush();
      }
      now = target;
    },
    /** The computer sleeps: the wall clock goes on, no timer does. */
    sleep(milliseconds) {
      now += milliseconds;
      slept += milliseconds;
      for (const timer of timers.values()) timer.at += milliseconds;
    },
  };
}

/** Repeatable randomness (mulberry32). @param {number} seed */
export function createRandom(seed = 1) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Plants one defect at a time in the scripts; its test file must notice every one of them.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { guestDefects } from './guest_defects.mjs';
import { personDefects } from './person_defects.mjs';
import { signInDefects } from './sign_in_defects.mjs';

const LIMIT = 60_000;

/** test file -> [what is wrong, the text that is there, the text that is planted] */
const pluginDefects = {
  'renewal_rules.test.mjs': [
    ['the same exp counts as progress', 'claims.exp <= token.exp', 'claims.exp < token.exp'],
    ['the deadline is exp by the local clock', ': fresh && iat ? iat * SECOND - now : 0', ': 0'],
    ['the skew is measured anew from an old iat', 'saved.exp === exp ? +saved.offset || 0 : fresh && iat', 'iat'],
    ['a lead of five minutes', 'const LEAD = 2_000;', 'const LEAD = 300_000;'],
    ['early refusals are not learned', '      lead = LATE;\n', ''],
    ['an early refusal burns an attempt for ever', 'if (early && lead > 0) {', 'if (false) {'],
    ['attempts without end', '++attempts < MOST_ATTEMPTS', '++attempts < Infinity'],
    ['progress does not give the attempts back', '    attempts = outages = notBefore = 0;\n    arm();', '    arm();'],
    ['silence is a refusal', 'if (++outages < MOST_OUTAGES) return again(outages, error?.retryAfter * SECOND);', "return halt('refused');"],
    ['silence is asked for ever', '++outages < MOST_OUTAGES', '++outages < Infinity'],
    ['silence burns the other tries', 'if (++outages < MOST_OUTAGES)', 'if ((attempts += 1) && ++outages < MOST_OUTAGES)'],
    ['who rests cannot be woken', "if (status === 'resting') outages = notBefore = 0;", ''],
    ['timers stack', '    env.clearTimeout(timer);\n    timer = then', '    timer = then'],
    ['timers longer than browsers can count', 'Math.min(Math.max(delay, 0), LONGEST_TIMER)', 'delay'],
    ['no floor under short lives', 'floor: fresh ? now + FLOOR : 0', 'floor: 0'],
    ['the floor also for stored tokens', 'floor: fresh ? now + FLOOR : 0', 'floor: now + FLOOR'],
    ['no tick: a sleep goes unnoticed', 'env.visible() ? Math.min(delay, TICK) : delay', 'delay'],
    ['hidden tabs renew', "if (!env.visible()) return move('due-hidden');", ''],
    ['hidden tabs tick', 'env.visible() ? Math.min(delay, TICK) : delay', 'Math.min(delay, TICK)'],
    ['offline burns attempts before the call', "    if (!env.online()) return move('offline');\n    if (set", '    if (set'],
    ['offline burns attempts after the call', "    flight = null;\n    if (!env.online()) return move('offline');", '    flight = null;'],
    ['Retry-After is ignored', "error?.retryAfter * SECOND", '0'],
    ['no jitter', '500 + random() *', '500 + 0 *'],
    ['a stale failure is believed', 'flying() && failure', 'failure'],
    ['a newer token does not end the flight', "once for all tabs\n    flight = null;", 'once for all tabs'],
    ['halted wakes up', "|| flight || status === 'halted'", '|| flight'],
    ['wake-ups overlap', "if (!token || flight || status", 'if (!token || status'],
    ['the callback is the evidence', "move('refreshing', () => standstill(early), SETTLE)", 'standstill(early)'],
    ['no ceiling on calls', 'fired.push(now) > MOST_FIRED', 'fired.push(now) > Infinity'],
    ['a hanging command blocks renewal for ever', "move('refreshing', () => failed(null), COMMAND_LIMIT);", "move('refreshing');"],
    ['a refusal before the end is final', 'early && lead > 0 ? standstill(early) : halt', 'halt'],
    ['a clock that is set is not noticed', 'Math.abs(env.drift() - drift) > LEAD', 'false'],
    ['a clock that was set is asked about for ever', '      drift = env.drift();\n', ''],
    ['a clock that was set measures a token', 'fresh && !wasSet()', 'fresh'],
    ['a lesson is not handed on', ', late: saved?.late || lead < 0', ''],
    ['a lesson of before is dropped', 'saved?.late || lead < 0', 'lead < 0'],
    ['a lesson is not taken over', 'if (needs.saved()?.late) lead = LATE;', ''],
    ['atob on the raw segment', ".replace(/-/g, '+').replace(/_/g, '/')", ''],
  ],
  'bff_client.test.mjs': [
    ['no CSRF header', ", 'X-CSRF': '1'", ''],
    ['no credentials', "credentials: 'include'", "credentials: 'same-origin'"],
    ['no time-out', 'env.setTimeout(() => abort.abort(), ANSWER_LIMIT)', '0'],
    ['the time of a request counts as skew', '+ (steady() - sent) / 2', ''],
    ['the middle of a request by a clock that may be set', 'const steady = () => env.now() - env.drift();', 'const steady = () => env.now();'],
    ['a 503 means: sign in', "status === 401 ? 'refused'", "status > 400 ? 'refused'"],
    ['429 is wrong, not later', 'status === 429 || ', ''],
    ['an old code is handed out', 'if (old || ', 'if ('],
    ['forceUpdate is dropped', 'forceUpdate ? { forceUpdate } : {}', '{}'],
    ['redirects are followed', "redirect: 'error'", "redirect: 'follow'"],
    ['any JSON is a session', "if (typeof answer.signed_in !== 'boolean') throw unreachable();", ''],
  ],
  'commands.test.mjs': [
    ['codes are memoised', 'const data = await bff.code(forceUpdate);', 'const data = await (globalThis.memo ??= bff.code(forceUpdate));'],
    ['no ceiling on codes', 'codes.push(env.now()) > MOST_CODES', 'codes.push(env.now()) > Infinity'],
    ['outages are asked about for ever', '++recoveries > MOST_RECOVERIES', '++recoveries > Infinity'],
    ['an outage never ends', '    recoverLater(trouble.wait);\n', ''],
    ['blocked storage ends it all', 'const attempt = (act) => {\n  try {\n    return act();\n  } catch {\n    return null;\n  }\n};', 'const attempt = (act) => act();'],
    ['stored tokens are not renewed on load', 'renewal.accept(decodeJwt(memory.token()), false)', 'false'],
    ['the name comes too late', " || current.name !== session?.name", ''],
    ['ready is never said', '    bus.ready();\n', ''],
    ['ready is said first', "    bus.registerCommand('getAuthCode'", "    bus.ready();\n    bus.registerCommand('getAuthCode'"],
  ],
  'whose_chat.test.mjs': [
    ['who cannot leave goes on', "if (!(await leaveMessenger()) && !(await leaveMessenger()) && person()) rest('stuck', 'no_logout');", 'await leaveMessenger();'],
    ['a logout that fails once is the end', ' && !(await leaveMessenger()) && person', ' && person'],
    ['the old chat is kept for another person', 'if (!whose || whose === person()) return;', 'return;'],
    ['the new person is not let in', 'becomeAuthenticated(changed ? 0 : LOAD_WATCH)', "is('x') || becomeAuthenticated(changed ? Infinity : LOAD_WATCH)"],
    ['tokens are taken up before it is known whose they are', '!ready || !deployment || checking', '!ready || !deployment'],
    ['a failed logout is forgotten', 'if (done) memory.own(null);', 'memory.own(null);'],
    ['codes while signing out', "const closed = () => disposed || is('signing-out');", 'const closed = () => disposed;'],
    ['javascript: addresses are followed', 'url?.match(/^https?:/) && location', 'location'],
    ['any announced token makes an owner', 'if (ours) memory.own(person() || UNKNOWN);', 'memory.own(person() || UNKNOWN);'],
    ['keys are shared by deployments', '`messenger-auth:${deployment()}:${name}`', '`messenger-auth::${name}`'],
    ['the end of a session is not heard', 'session_ended: ended', 'session_over: ended'],
    ['the push channel lacks credentials', '{ withCredentials: true }', '{ withCredentials: false }'],
    ['a closed push channel is reopened blindly', '      recoverLater();\n', '      openEvents();\n'],
    ['the same token again is success', "if (!grew && renewal.status() === 'halted') return;", ''],
    ['a signed-out page does not look again', '(persisted || away || lost) &&', '(persisted || away) &&'],
    ['the back-forward cache shows the old chat', '(persisted || away || lost) &&', '(away || lost) &&'],
    ['each focus asks the server', ' && now - checkedAt > CHECK_SPAN', ''],
    ['a logout elsewhere keeps the timer', "    left = true;\n    forgetTokens();", '    left = true;'],
    ['reconnecting does not renew', '        rouse();\n', ''],
  ],
  'person_needed.test.mjs': [
    ['a hidden frame is not asked for a code', 'if (answer.front_channel)', 'if (false)'],
    ['who needs a person waits for the watchdog', "if (trouble.reason) rest('halted', 'no_tokens');\n          else if", 'if'],
    ['why no code came is forgotten', "missing = trouble.reason || missing;", ''],
    ['Genesys that does not answer leads to a question', "kindOf(error?.status) === 'unreachable'", 'false'],
    ['a room that hangs hangs all', "within(env, page.load('Person', 'person'), ANSWER_LIMIT)", "page.load('Person', 'person').catch(() => null)"],
    ['nobody is told that a room cannot be had', 'throw noted(unreachable());', 'throw unreachable();'],
    ['a room for each question', '(desk ??= room.create(core))', 'room.create(core)'],
    ['dispose leaves the question open', '    desk?.abort();\n    watch();', '    watch();'],
    ['tokens leave the question open', "    resting = '';\n    desk?.abort();", "    resting = '';"],
    ['a resting chat asks again and again', '    if (resting) return;\n    resting = state;', '    resting = state;'],
    ['a rested renewal says nothing', "tell('unavailable', 'renewal_failed', unreachable())", 'void 0'],
    ['forceUpdate asks nobody', "data.forceUpdate\n      ? act('forcedCode')(data)\n      : freshCode()", 'freshCode(data.forceUpdate)'],
    ['a question hides the sign-out of a page', "if (!asking() && !is('halted'", "if (!is('halted'"],
    ['the dialog is loaded for nothing', "if (page.tab.get('messenger-auth:drafts'))", 'if (true)'],
    ['drafts stay away', 'room.restoreDrafts()', 'room'],
    ['a script that failed stays failed', "?` + ++tries)", "?` + tries)"],
    ['the words of the brand are lost', 'void Object.assign(brand, more)', 'void more'],
    ['a click is never noticed', 'activated: () => root.navigator.userActivation?.isActive', 'activated: () => false'],
  ],
  'shared_renewal.test.mjs': [
    ['a borrowed token is renewed at once', 'renewal.wake(down, false)', 'renewal.wake(down)'],
    ['a start is no end of an outage', ", 'reconnected', 'started']", ", 'reconnected']"],
    ['a tab that comes to the front gives no moment', '    }\n    rouse();\n  }', '    }\n    renewal.wake(down);\n  }'],
    ['a borrowed token is never doubted', 'if (down) env.setTimeout(() => down && renewal.wake(true), LEAD);', ''],
    ['each tab renews for itself', 'if (!locks) return', 'return'],
    ['tabs log out at once', "alone('logout', logout)", 'logout()'],
    ['who has heard of a logout logs out again', 'left || within(env', 'within(env'],
    ['a waiter calls although it has heard', '        if (!wanted()) return;\n', ''],
    ['a waiter has no patience', 'nap(TABS_SETTLE).then(work)', 'work()'],
    ['the lock has no time-out', 'env.setTimeout(() => limit.abort(), LOCK_LIMIT)', 'null'],
    ['who waited too long renews nothing', 'once).catch(once)', 'once).catch(() => {})'],
    ['the lock is stolen', 'limit, once', '{ signal: limit.signal, steal: true }, once'],
    ['a command that hangs keeps the lock', 'return within(env, work.then(() => nap(SECOND)), COMMAND_LIMIT);', 'return work.then(() => nap(SECOND));'],
    ['who was answered leaves the others no time to hear of it', 'work.then(() => nap(SECOND))', 'work'],
    ['who was refused keeps the others waiting', 'work.then(() => nap(SECOND))', 'work.finally(() => nap(SECOND))'],
    ['the clock is read under the lock', '        if (!wanted()) return;', '        memory.clock();\n        if (!wanted()) return;'],
    ['other tabs are not heard', "if (key === memory.key('clock')) renewal.borrow(parse(value));\n    else if", 'if'],
    ['any key is a clock', "if (key === memory.key('clock')) renewal", 'if (parse(value)?.exp) renewal'],
    ['anything is a newer token', 'record?.exp > token.exp', 'record'],
    ['what is borrowed is taken for this tab\'s own', "take({ ...token, exp: record.exp, deadline:", "take({ ...token, own: Infinity, exp: record.exp, deadline:"],
    ['a reconnecting socket asks for ever', 'if (lent) token.own = Infinity;', ''],
    ['a good token of its own is renewed', 'needed && token.own < Math.min(now, token.deadline)', 'needed'],
    ['another owner goes unnoticed', "else if (key === memory.key('person') && value !== person() && !closed()) void check();", ''],
    ['after a long absence nobody is asked who it is', '(persisted || away || lost) &&', '(persisted || lost) &&'],
    ['each look asks who it is', 'hiddenAt && now - hiddenAt > TICK', 'hiddenAt'],
    ['something is sent before it is known for whom', 'return void check().then(rouse);', 'void check();'],
    ['on demand renews by the clock', "if (needs.onDemand && next === 'scheduled' && delay > 0) return move(next);", ''],
    ['on demand renews at each look', "if (needed || !needs.onDemand || status !== 'scheduled') check(lent);", 'check(lent);'],
    ['on demand never tries again', "next === 'scheduled' && delay > 0", 'delay > 0'],
    ['on demand leaves a stale token', "next === 'scheduled' && delay > 0", "next === 'scheduled'"],
    ['that a socket is down is forgotten', "down = place < 2;", ''],
    ['the attribute is not read', "renewal === 'on-demand'", 'false'],
    ['one instance for all deployments', 'all.find((api) => !id || api.deployment === id)', 'all[0]'],
    ['an instance hears the others', 'detail.deployment === deployment() &&', ''],
    ['the name of the second global is ignored', "root[global]('registerPlugin'", "root.Genesys('registerPlugin'"],
    ['?debug is not heard', ' || /[?&]debug\\b/.test(script.src)', ''],
  ],
  'front_door.test.mjs': [
    ['a second boot', 'if (known) return known;', ''],
    ['no queue without Genesys', 'root[global] ||= function () {\n    (root[global].q ||= []).push(arguments);\n  };', ''],
    ['the error stays in the address', "if (found) history.replaceState(history.state, '', plainPath(location));", ''],
    ['the fragment of the page is lost', "(rest && '#' + rest)", "''"],
    ['the whole event is logged', 'root.console.debug(EVENT, state, reason, code)', 'root.console.debug(EVENT, root.localStorage.entries())'],
    ['it logs without being asked', 'if (debug) root', 'root'],
    ['the global can be changed', 'return Object.freeze({\n    version', 'return ({\n    version'],
    ['listeners cannot be taken off', 'root.addEventListener(EVENT, filtered, off);', 'root.addEventListener(EVENT, filtered);'],
    ['dispose leaves the timers', '    shutEvents();\n    renewal.reset();', '    shutEvents();'],
    ['the deployment of the tag is ignored', "settings.deployment || page.snippetDeployment() || ''", "page.snippetDeployment() || ''"],
    ['the configuration is not heard', 'learnDeployment(data.snippetConfig?.deploymentId || data.deploymentConfig?.id)', 'void data'],
  ],
};

const read = (name) => readFileSync(new URL(`../../static/${name}`, import.meta.url), 'utf8');
const scripts = [
  { variable: 'PLUGIN_SOURCE', source: read('messenger-auth.js'), defects: pluginDefects },
  { variable: 'PERSON_SOURCE', source: read('messenger-person.js'), defects: personDefects },
  { variable: 'GUEST_SOURCE', source: read('messenger-guest.js'), defects: guestDefects },
  { variable: 'SIGN_IN_SOURCE', source: read('messenger-sign-in.js'), defects: signInDefects },
];
const folder = mkdtempSync(join(tmpdir(), 'mutants-'));

/** @returns {Promise<boolean>} whether the test file fails with this source */
function fails(variable, testFile, text, name) {
  const path = join(folder, `${testFile}-${name}.js`);
  new Function(text); // what does not parse would be caught by anything
  writeFileSync(path, text);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--test-reporter=tap', testFile], {
      cwd: new URL('.', import.meta.url),
      env: { ...process.env, [variable]: path },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: LIMIT,
    });
    // One failing test is enough.
    child.stdout.on('data', (chunk) => String(chunk).includes('not ok ') && child.kill('SIGKILL'));
    child.on('exit', (code) => resolve(code !== 0));
  });
}

const killed = ({ variable, source, testFile, defect: [, found, planted], index }) =>
  fails(variable, testFile, source.replace(found, () => planted), index);

const jobs = scripts.flatMap(({ variable, source, defects }) =>
  Object.entries(defects).flatMap(([testFile, list]) =>
    list.map((defect, index) => ({ variable, source, testFile, defect, index })),
  ),
);
const faults = jobs
  .filter(({ source, defect: [, found] }) => source.split(found).length !== 2)
  .map(({ defect: [what, found] }) => `not planted, for the text is not there exactly once: ${what}: ${found}`);

for (const { variable, source, defects } of scripts) {
  for (const testFile of Object.keys(defects)) {
    if (await fails(variable, testFile, source, 'sound')) faults.push(`${testFile} fails without any defect`);
  }
}

const queue = faults.length ? [] : [...jobs];
async function work() {
  for (let job = queue.shift(); job; job = queue.shift()) {
    if (!(await killed(job))) faults.push(`survived ${job.testFile}: ${job.defect[0]}`);
  }
}
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, work));
rmSync(folder, { recursive: true });

for (const fault of faults) console.log(fault);
console.log(`${jobs.length} seeded defects, ${faults.length} not caught`);
process.exitCode = faults.length ? 1 : 0;

// Plants one defect at a time in the scripts; its test file must notice every one of them.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { guestDefects } from './guest_defects.mjs';
import { signInDefects } from './sign_in_defects.mjs';

const LIMIT = 60_000;

/** test file -> [what is wrong, the text that is there, the text that is planted] */
const pluginDefects = {
  'renewal_rules.test.mjs': [
    ['the same exp counts as progress', 'claims.exp <= token.exp', 'claims.exp < token.exp'],
    ['the deadline is exp by the local clock', ': fresh && iat ? iat * SECOND - now : server || 0', ': server || 0'],
    ['the skew is measured anew from an old iat', 'saved.exp === exp ? +saved.offset || 0 : fresh && iat', 'iat'],
    ['a lead of five minutes', 'const LEAD = 2_000;', 'const LEAD = 300_000;'],
    ['early refusals are not learned', 'lead = LATE;', ''],
    ['an early refusal burns an attempt for ever', 'if (!early || lead < 0) return', 'return'],
    ['attempts without end', '++attempts >= MOST_ATTEMPTS', '++attempts >= Infinity'],
    ['progress does not give the attempts back', '      attempts = notBefore = 0;\n      arm();', '      arm();'],
    ['timers stack', '    env.clearTimeout(timer);\n    timer = then', '    timer = then'],
    ['timers longer than browsers can count', 'Math.min(Math.max(delay, 0), LONGEST_TIMER)', 'delay'],
    ['no floor under short lives', 'floor: fresh ? now + FLOOR : 0', 'floor: 0'],
    ['the floor also for stored tokens', 'floor: fresh ? now + FLOOR : 0', 'floor: now + FLOOR'],
    ['no tick: a sleep goes unnoticed', 'env.visible() ? Math.min(delay, TICK) : delay', 'delay'],
    ['hidden tabs renew', "if (!env.visible()) return move('due-hidden');", ''],
    ['hidden tabs tick', 'env.visible() ? Math.min(delay, TICK) : delay', 'Math.min(delay, TICK)'],
    ['offline burns attempts before the call', "    if (!env.online()) return move('offline');\n    fired", '    fired'],
    ['offline burns attempts after the call', "    if (!env.online()) return move('offline');\n    if (!isFatal", '    if (!isFatal'],
    ['Retry-After is ignored', "error?.retryAfter * SECOND", '0'],
    ['no jitter', '500 + random() *', '500 + 0 *'],
    ['a stale failure is believed', 'mine === flight && failure', 'failure'],
    ['a newer token does not end the flight', "      flight = null;\n      attempts", '      attempts'],
    ['halted wakes up', "|| flight || status === 'halted'", '|| flight'],
    ['wake-ups overlap', "if (!token || flight || status", 'if (!token || status'],
    ['the callback is the evidence', "move('refreshing', () => standstill(early), SETTLE)", 'standstill(early)'],
    ['no ceiling on calls', 'fired.push(now) > MOST_FIRED', 'fired.push(now) > Infinity'],
    ['a hanging command blocks renewal for ever', "move('refreshing', () => failed(null), COMMAND_LIMIT);", "move('refreshing');"],
    ['a refusal before the end is final', 'early && lead > 0 ? standstill(early) : halt', 'halt'],
    ['a clock put back blocks renewal', 'token.floor = Math.min(token.floor, now + FLOOR);', ''],
    ['a clock put back moves the deadline away', 'token.deadline = Math.min(token.deadline, now + token.life);', ''],
    ['atob on the raw segment', ".replace(/-/g, '+').replace(/_/g, '/')", ''],
    ['a sign-out keeps the lesson', '      lead = LEAD;\n', ''],
  ],
  'bff_client.test.mjs': [
    ['no CSRF header', ", 'X-CSRF': '1'", ''],
    ['no credentials', "credentials: 'include'", "credentials: 'same-origin'"],
    ['no time-out', 'env.setTimeout(() => abort.abort(), ANSWER_LIMIT)', '0'],
    ['a 503 means: sign in', "status === 401 ? 'refused'", "status > 400 ? 'refused'"],
    ['429 is wrong, not later', 'status === 429 || ', ''],
    ['an old code is handed out', 'if (old || ', 'if ('],
    ['forceUpdate is dropped', 'forceUpdate ? { forceUpdate } : {}', '{}'],
    ['redirects are followed', "redirect: 'error'", "redirect: 'follow'"],
    ['any JSON is a session', "if (typeof answer.signed_in !== 'boolean') throw unreachable();", ''],
  ],
  'commands.test.mjs': [
    ['reAuthenticate resolves bare', '        expectTokens(WATCH, 2);\n        return data;', '        expectTokens(WATCH, 2);'],
    ['no watchdog', '        expectTokens(WATCH, 2);\n        return data;', '        return data;'],
    ['codes are memoised', 'const data = await bff.code(forceUpdate);', 'const data = await (globalThis.memo ??= bff.code(forceUpdate));'],
    ['no loop guard', 'times.push(env.now()) > MOST_REDIRECTS', 'times.push(env.now()) > Infinity'],
    ['the loop guard forgets over a redirect', "tab.set(key('redirects'), next);", ''],
    ['redirects without a memory', ' === next || env.activated()', ' !== undefined'],
    ['the command resolves before the page leaves', 'return new Promise((_, reject) => parked.push(reject));', 'return Promise.resolve({});'],
    ['every command leaves the page', 'if (!parked.length) {\n      watch', 'if (true) {\n      watch'],
    ['a page that stays leaves its command open', 'away(comeBack, AWAY_LIMIT);', ''],
    ['signedIn is not published', "bus?.publish('signedIn', data);", ''],
    ['signInFailed is not published', "bus?.publish('signInFailed', publicPart(trouble));", ''],
    ['an outage leads to the sign-in page', "if (trouble.kind !== 'refused' || closed())", 'if (closed())'],
    ['no ceiling on codes', 'codes.push(env.now()) > MOST_CODES', 'codes.push(env.now()) > Infinity'],
    ['outages are asked about for ever', '++recoveries > MOST_RECOVERIES', '++recoveries > Infinity'],
    ['an outage never ends', '    recoverLater(trouble.wait);\n', ''],
    ['getAuthCode sends people away', 'freshCode(forceUpdate).catch(', 'codeOrRedirect(() => {}).catch('],
    ['blocked storage ends it all', 'const attempt = (act) => {\n  try {\n    return act();\n  } catch {\n    return null;\n  }\n};', 'const attempt = (act) => act();'],
    ['stored tokens are not renewed on load', 'renewal.accept(decodeJwt(memory.token()), false)', 'false'],
    ['the name comes too late', " || current.name !== session?.name", ''],
    ['ready is never said', '    bus.ready();\n', ''],
    ['ready is said first', "    bus.registerCommand('getAuthCode'", "    bus.ready();\n    bus.registerCommand('getAuthCode'"],
  ],
  'whose_chat.test.mjs': [
    ['the old chat is kept for another person', 'if (!whose || whose === person()) return;', 'return;'],
    ['the new person is not let in', 'becomeAuthenticated(changed ? 0 : LOAD_WATCH)', "is('x') || becomeAuthenticated(changed ? Infinity : LOAD_WATCH)"],
    ['tokens are taken up before it is known whose they are', '!ready || !deployment || checking', '!ready || !deployment'],
    ['a failed logout is forgotten', 'if (done) memory.own(null);', 'memory.own(null);'],
    ['a hanging logout blocks the sign-out', 'limit(() => resolve(false), LOGOUT_LIMIT);', ''],
    ['our server is told before Messenger', '    await leaveMessenger();\n    const answer', '    void leaveMessenger();\n    const answer'],
    ['codes while signing out', "const closed = () => disposed || is('signing-out');", 'const closed = () => disposed;'],
    ['javascript: addresses are followed', '/^https?:/.test(url) && location', 'location'],
    ['any announced token makes an owner', 'if (ours) memory.own(person() || UNKNOWN);', 'memory.own(person() || UNKNOWN);'],
    ['keys are shared by deployments', '`messenger-auth:${deployment()}:${name}`', '`messenger-auth::${name}`'],
    ['the end of a session is not heard', 'session_ended: ended', 'session_over: ended'],
    ['the push channel lacks credentials', '{ withCredentials: true }', '{ withCredentials: false }'],
    ['a closed push channel is reopened blindly', '      recoverLater();\n', '      openEvents();\n'],
    ['the same token again is success', "if (!grew && renewal.status() === 'halted') return;", ''],
    ['a halted renewal has no second chance', "    expectTokens(0, 1, () => tell('halted', reason, signedOut()));", "    tell('halted', reason, signedOut());"],
    ['a signed-out page does not look again', '(persisted || lost) &&', 'persisted &&'],
    ['the back-forward cache shows the old chat', '(persisted || lost) &&', 'lost &&'],
    ['each focus asks the server', ' && env.now() - checkedAt > CHECK_SPAN', ''],
    ['a logout elsewhere keeps the timer', "function loggedOut() {\n    forgetTokens();", 'function loggedOut() {'],
    ['an unheard sign-out is called done', "if (answer.kind && answer.kind !== 'refused') {", 'if (false) {'],
    ['reconnecting does not renew', "bus.subscribe('MessagingService.' + event, renewal.wake);", ''],
  ],
  'front_door.test.mjs': [
    ['a second boot', 'if (root.MessengerAuth) return root.MessengerAuth;', ''],
    ['no queue without Genesys', 'root.Genesys ||= function () {\n    (root.Genesys.q ||= []).push(arguments);\n  };', ''],
    ['the error stays in the address', "if (found) history.replaceState(history.state, '', plainPath(location));", ''],
    ['the fragment of the page is lost', "(rest && '#' + rest)", "''"],
    ['a cancelled sign-in starts again by itself', 'if (code && !env.activated()) throw problem(code);', ''],
    ['the whole event is logged', 'root.console.debug(EVENT, detail.state, detail.reason, detail.code)', 'root.console.debug(EVENT, root.localStorage.entries())'],
    ['it logs without being asked', 'if (debug) root', 'root'],
    ['the global can be changed', 'const api = Object.freeze(', 'const api = ('],
    ['listeners cannot be taken off', 'root.addEventListener(EVENT, filtered, off);', 'root.addEventListener(EVENT, filtered);'],
    ['dispose leaves the timers', '    renewal.reset();\n    [watch', '    [watch'],
    ['the deployment of the tag is ignored', "settings.deployment || page.snippetDeployment() || ''", "page.snippetDeployment() || ''"],
    ['each guest chat loads its script', "if (!root.MessengerGuest) await import", 'await import'],
    ['a script that failed stays failed', "?' + ++tries)", "?' + tries)"],
    ['the guest chat is told nothing', 'root.MessengerGuest.open(base, options)', 'root.MessengerGuest.open(base)'],
    ['the configuration is not heard', 'learnDeployment(data.snippetConfig?.deploymentId || data.deploymentConfig?.id)', 'void data'],
  ],
};

const read = (name) => readFileSync(new URL(`../../static/${name}`, import.meta.url), 'utf8');
const scripts = [
  { variable: 'PLUGIN_SOURCE', source: read('messenger-auth.js'), defects: pluginDefects },
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

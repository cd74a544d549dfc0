// The recorder in a page takes secrets out of texts before anything leaves it, by the rules of the service.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

const SOURCE = readFileSync(new URL('../../static/messenger-inspector.js', import.meta.url), 'utf8');
const { texts } = JSON.parse(readFileSync(new URL('../vectors/redaction.json', import.meta.url), 'utf8'));

/** A page that is recorded, whose plugin says `reason`; resolves to what the service was sent of it. */
async function sent(reason) {
  const shelf = () => ({ getItem: () => null, setItem() {}, removeItem() {}, key: () => null, length: 0 });
  /** @type {Map<string, (event: any) => void>} */ const listeners = new Map();
  const bodies = [];
  /** @type {(events: any[]) => void} */ let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  const window = {
    Math,
    Date,
    crypto: globalThis.crypto,
    console: { info() {} },
    location: { search: '', hash: '', pathname: '/' },
    history: {},
    localStorage: shelf(),
    sessionStorage: shelf(),
    document: { hidden: false, currentScript: { src: 'https://auth.brand.example/static/x.js', dataset: { record: 'always' } } },
    setTimeout: (act, delay) => (delay < 1000 ? setTimeout(act, 0) : 0),
    setInterval: () => 0,
    addEventListener: (name, then) => listeners.set(name, then),
    fetch: async (url, { body }) => {
      if (url.endsWith('/events')) {
        bodies.push(...JSON.parse(body).events);
        if (bodies.some(({ step }) => step === 'plugin_state')) resolve(bodies);
      }
      return { ok: true, status: 200, json: async () => ({ salt: 'salt' }) };
    },
  };
  const globals = { window, document: window.document, URL, URLSearchParams, TextEncoder, atob };
  vm.runInNewContext(SOURCE, globals);
  listeners.get('messenger-auth')({ detail: { state: 'failed', reason, code: '' } });
  const events = await promise;
  return events.find(({ step }) => step === 'plugin_state').facts.reason;
}

for (const [text, kept] of texts) {
  test(`of ${JSON.stringify(text)} a page sends ${JSON.stringify(kept)}`, async () => {
    assert.equal(await sent(text), kept);
  });
}

test('a text that is cut takes no half of a secret along', async () => {
  const kept = await sent('x'.repeat(30) + ' ' + 'y'.repeat(430) + ' password=hunter2-hunter2-hunter2');
  assert.ok(!kept.includes('hunt'), kept);
});

test('a long text takes no time', async () => {
  for (const one of ['a=', '%25', '@ ', '"', '\\', '1 ', 'x.', 'code ', '{[', '--1', 'http://']) await sent(one.repeat(50_000));
});

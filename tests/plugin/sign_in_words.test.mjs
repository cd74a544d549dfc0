// What a person reads: five languages, the site's own words, and no raw code of ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedTab, rooms } from './sign_in_rig.mjs';

const { WORDS, sentence, wordsFor } = rooms;
const SILENT = ['sign_in_needed', 'login_required', 'reload_needed'];
const needed = Object.keys(WORDS.en).filter((key) => !SILENT.includes(key));

test('each language has every sentence, and none of them is English', () => {
  assert.deepEqual(Object.keys(WORDS), ['en', 'de', 'es', 'fr', 'ar']);
  for (const [language, words] of Object.entries(WORDS)) {
    if (language === 'en') continue;
    const { dir, ...sentences } = words;
    assert.deepEqual(Object.keys(sentences), needed, language);
    for (const key of needed) assert.notEqual(words[key], WORDS.en[key], `${language}: ${key}`);
    assert.equal(dir, language === 'ar' ? 'rtl' : undefined);
  }
});

test('sentences end as sentences do; titles and buttons do not', () => {
  const labels = needed.filter((key) => /^title_|^(go|retry|reload|open|later)$/.test(key));
  for (const [language, words] of Object.entries(WORDS)) {
    for (const key of needed) assert.equal(words[key].endsWith('.'), !labels.includes(key), `${language}: ${key}`);
  }
});

test('the site says which language, then the page, then the browser; English is the last', () => {
  assert.equal(wordsFor(['fr', 'de', 'es']).lang, 'fr');
  assert.equal(wordsFor([undefined, 'de-CH', 'es']).go, WORDS.de.go);
  assert.equal(wordsFor([undefined, 'de-CH', 'es']).lang, 'de-CH');
  assert.equal(wordsFor(['', '', 'ES-mx']).go, WORDS.es.go);
  assert.equal(wordsFor(['pt', 'xx', 'ar-EG']).dir, 'rtl');
  assert.deepEqual(wordsFor(['pt', '']), { ...WORDS.en, lang: 'en' });
});

test("the site's words win, one by one, and may bring another language", () => {
  const own = { en: { go: 'Log in' }, 'de-AT': { go: 'Einloggen' }, he: { go: 'כניסה', dir: 'rtl' } };
  assert.equal(wordsFor(['en-GB'], own).go, 'Log in');
  assert.equal(wordsFor(['en-GB'], own).later, 'Not now');
  assert.equal(wordsFor(['de-AT'], own).go, 'Einloggen');
  assert.equal(wordsFor(['de-AT'], own).later, WORDS.de.later);
  assert.equal(wordsFor(['de'], own).go, WORDS.de.go);
  assert.deepEqual([wordsFor(['he'], own).dir, wordsFor(['he'], own).go], ['rtl', 'כניסה']);
  assert.equal(wordsFor(['xx'], own).go, 'Log in');
});

test('a code that has no sentence is told in general; the English one of the server only to English readers', () => {
  const trouble = { code: 'provider_unavailable', message: 'The provider is away.', kind: 'unreachable' };
  assert.equal(sentence(wordsFor(['en']), trouble), 'The provider is away.');
  assert.equal(sentence(wordsFor(['de']), trouble), WORDS.de.unreachable);
  assert.equal(sentence(wordsFor(['de']), { code: 'odd', message: 'Odd.' }), WORDS.de.sign_in_failed);
  assert.equal(sentence(wordsFor(['de'], { de: { odd: 'Seltsam.' } }), { code: 'odd', message: 'Odd.' }), 'Seltsam.');
  assert.equal(sentence(wordsFor(['en'])), WORDS.en.sign_in_failed);
});

test('the dialog says why it is there, and what came before', async () => {
  const said = async (reason, code = '') => {
    const { view } = await askedTab({ reason, code, message: 'Nobody reads this.' });
    return [view.title, view.text, view.status];
  };
  const en = WORDS.en;
  assert.deepEqual(await said('sign_in', 'sign_in_needed'), [en.title_first, `${en.first} ${en.popup}`, '']);
  assert.deepEqual(await said('step_up'), [en.title_first, `${en.first} ${en.popup}`, '']);
  assert.deepEqual(await said('reauthenticate', 'login_required'), [en.title_again, `${en.again} ${en.popup}`, '']);
  assert.deepEqual(await said('code_needed', 'sign_in_denied'), [en.title_again, `${en.again} ${en.popup}`, en.sign_in_denied]);
  assert.deepEqual(await said('halted', 'sign_in_loop'), [en.title_halted, `${en.halted} ${en.popup}`, en.sign_in_loop]);
  assert.deepEqual(await said('stuck', 'reload_needed'), [en.title_stuck, en.stuck, '']);
});

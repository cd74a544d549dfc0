// PITFALLS.md tells the truth: every row is there, and every test that it names exists.
import assert from 'node:assert/strict';
import test from 'node:test';
import { readFileSync } from 'node:fs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const rows = [...read('PITFALLS.md').matchAll(/^\| (\d+) \| (.+?) \| (\S+) \| (.+) \|$/gm)].map(([, number, , file, name]) => ({ number: +number, file, name }));

test('every pitfall from 1 to 43 has a test', () => {
  const numbers = new Set(rows.map((row) => row.number));
  assert.deepEqual([...numbers].sort((a, b) => a - b), Array.from({ length: 43 }, (_, index) => index + 1));
});

test('each test that is named exists in its file', () => {
  for (const { number, file, name } of rows) {
    assert.ok(read(file).includes(file.endsWith('.py') ? `def ${name}(` : name), `${number}: ${name} is not in ${file}`);
  }
});

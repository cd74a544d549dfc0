// Measures what a page pays for the plugin, and fails when it grows past its budget.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { transformSync } from 'esbuild';

const source = readFileSync(new URL('../../static/messenger-auth.js', import.meta.url));
const minified = transformSync(source, { minify: true, legalComments: 'none', target: 'es2021' }).code;
const squeezed = (text) => gzipSync(text, { level: 9 }).length;

const figures = [
  { what: 'minified, gzip -9', bytes: squeezed(minified), below: 6144 },
  { what: 'as served, raw', bytes: source.length, below: 28 * 1024 + 1 },
  { what: 'as served, gzip -9', bytes: squeezed(source), below: 9 * 1024 + 1 },
];

for (const { what, bytes, below } of figures) {
  const verdict = bytes < below ? 'ok' : 'TOO LARGE';
  console.log(`messenger-auth.js ${what}: ${bytes} bytes (must be below ${below}): ${verdict}`);
}
process.exitCode = figures.some(({ bytes, below }) => bytes >= below) ? 1 : 0;

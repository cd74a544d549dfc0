// Measures what a page pays for each script, and fails when one grows past its budget.
import { readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { transformSync } from 'esbuild';

const budgets = {
  'messenger-auth.js': { minified: 6144, raw: 31 * 1024 + 1, squeezed: 9 * 1024 + 1 },
  'messenger-person.js': { minified: 3 * 1024, raw: 12 * 1024, squeezed: 4 * 1024 },
  // A quarter of it is sentences: five languages in one script, loaded when a person is needed.
  'messenger-sign-in.js': { minified: 9 * 1024, raw: 38 * 1024, squeezed: 11 * 1024 },
  // Only in pages that somebody wants to look into.
  'messenger-inspector.js': { minified: 6 * 1024, raw: 26 * 1024, squeezed: 8 * 1024 },
  'messenger-guest.js': { minified: 4 * 1024 + 1, raw: 20 * 1024 + 1, squeezed: 7 * 1024 + 1 },
};
const squeezed = (text) => gzipSync(text, { level: 9 }).length;
/** As every browser of the last years gets it: see bff/page_scripts.py. */
const served = (text) => brotliCompressSync(text).length;

const figures = Object.entries(budgets).flatMap(([name, below]) => {
  const source = readFileSync(new URL(`../../static/${name}`, import.meta.url));
  const minified = transformSync(source, { minify: true, legalComments: 'none', target: 'es2021' }).code;
  return [
    { what: `${name} minified, gzip -9`, bytes: squeezed(minified), below: below.minified },
    { what: `${name} as served, raw`, bytes: source.length, below: below.raw },
    { what: `${name} as served, brotli`, bytes: served(source), below: below.squeezed },
  ];
});

for (const { what, bytes, below } of figures) {
  const verdict = bytes < below ? 'ok' : 'TOO LARGE';
  console.log(`${what}: ${bytes} bytes (must be below ${below}): ${verdict}`);
}
process.exitCode = figures.some(({ bytes, below }) => bytes >= below) ? 1 : 0;

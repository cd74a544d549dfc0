// Measures each script minified, and fails when one grows past its budget.
// What a page really pays, as served, is measured by test_page_script_doors.py.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { transformSync } from 'esbuild';

const budgets = {
  'messenger-auth.js': 6 * 1024,
  'messenger-person.js': 3 * 1024,
  // A quarter of it is sentences: five languages in one script, loaded when a person is needed.
  'messenger-sign-in.js': 9 * 1024,
  // Only in pages that somebody wants to look into.
  'messenger-inspector.js': 6 * 1024,
  'messenger-guest.js': 4 * 1024 + 1,
};

for (const [name, below] of Object.entries(budgets)) {
  const source = readFileSync(new URL(`../../static/${name}`, import.meta.url));
  const minified = transformSync(source, { minify: true, legalComments: 'none', target: 'es2021' }).code;
  const bytes = gzipSync(minified, { level: 9 }).length;
  if (bytes >= below) process.exitCode = 1;
  console.log(`${name} minified, gzip -9: ${bytes} bytes (must be below ${below}): ${bytes < below ? 'ok' : 'TOO LARGE'}`);
}

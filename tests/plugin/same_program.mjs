// Tells whether two scripts are one program: `node same_program.mjs SOURCE SERVED`.
import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';

const programOf = (path) => transformSync(readFileSync(path), { minify: true, legalComments: 'none', target: 'es2021' }).code;
const [source, served] = process.argv.slice(2).map(programOf);
if (source !== served) {
  const at = [...source].findIndex((letter, place) => letter !== served[place]);
  console.error(`Other programs, from here on:\n${source.slice(Math.max(at - 80, 0), at + 80)}\n${served.slice(Math.max(at - 80, 0), at + 80)}`);
  process.exitCode = 1;
}

// Makes static/messenger-auth.d.ts out of the plugin's JSDoc; with --check it only says whether it would differ.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const source = join(here, '../../static/messenger-auth.js');
const target = join(here, '../../static/messenger-auth.d.ts');
const shapes = join(here, 'plugin_types.d.ts');

/** The script without its wrapping: a module whose `boot` can be asked what it returns. */
function asModule(script) {
  const found = [/^\(\(\) => \{\n'use strict';$/m, /^if \(typeof module === 'object'[^]*$/m, /^.*return root\.MessengerAuth;.*\n/m];
  for (const part of found) if (!part.test(script)) throw new Error(`the script has no ${part}`);
  const [opening, ending, secondTime] = found;
  // What a second load returns is any: it would hide all the rest.
  return script.replace(opening, '').replace(ending, 'export { boot };\n').replace(secondTime, '');
}

function declarationOf(module) {
  const folder = mkdtempSync(join(tmpdir(), 'declare-'));
  try {
    writeFileSync(join(folder, 'plugin.js'), module);
    copyFileSync(shapes, join(folder, 'shapes.d.ts'));
    const flags = '--allowJs --declaration --emitDeclarationOnly --strict --target es2022 --lib es2022,dom,dom.iterable';
    const tsc = join(here, 'node_modules/typescript/bin/tsc');
    const files = ['--types', '', '--outDir', 'out', 'plugin.js', 'shapes.d.ts'];
    const ran = spawnSync(process.execPath, [tsc, ...flags.split(' '), ...files], { cwd: folder, encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(ran.stdout + ran.stderr);
    return readFileSync(join(folder, 'out', 'plugin.d.ts'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** From `start` to the first of `end` that stands outside all brackets. */
function balanced(text, start, end) {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (depth === 0 && text.startsWith(end, at)) return text.slice(start, at);
    if ('{(<['.includes(text[at])) depth++;
    if ('})]'.includes(text[at]) || (text[at] === '>' && text[at - 1] !== '=')) depth--;
  }
  throw new Error(`no ${end} after ${text.slice(start, start + 40)}`);
}

/** The shapes that a text names, and those that they name, as exported types. */
function shapesIn(text, known = new Set()) {
  const all = readFileSync(shapes, 'utf8');
  for (const [, name] of text.matchAll(/\b([A-Z]\w+)\b/g)) {
    const at = all.search(new RegExp(`^type ${name} = `, 'm'));
    if (at < 0 || known.has(name)) continue;
    known.add(name);
    shapesIn(balanced(all, at, ';\n'), known);
  }
  return [...known].sort().map((name) => `export ${balanced(all, all.search(new RegExp(`^type ${name} = `, 'm')), ';\n')};`);
}

function declared() {
  const text = declarationOf(asModule(readFileSync(source, 'utf8')));
  const found = /function boot\([^)]*\): Readonly<\{\n/.exec(text);
  if (!found) throw new Error('boot does not return one frozen object:\n' + text);
  const members = balanced(text, found.index + found[0].length, '\n}>').replace(/^    /gm, '  ').replace(/^  (\w+):/gm, '  readonly $1:');
  return `// The types of window.MessengerAuth, made from static/messenger-auth.js by tests/plugin/declare.mjs.
// What each member does is said in docs/plugin.md.

${shapesIn(members).join('\n\n')}

export interface MessengerAuth {
${members}
}

declare global {
  const MessengerAuth: MessengerAuth;
  interface Window {
    readonly MessengerAuth: MessengerAuth;
  }
  interface WindowEventMap {
    'messenger-auth': CustomEvent<Detail>;
  }
}
`;
}

const now = declared();
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== now) {
    console.error('static/messenger-auth.d.ts is not what the script says: run `node declare.mjs`\n' + now);
    process.exitCode = 1;
  }
} else writeFileSync(target, now);

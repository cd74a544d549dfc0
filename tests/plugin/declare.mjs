// Makes static/messenger-auth.d.ts out of the shapes that tsc holds the plugin to; with --check it only says
// whether it would differ.
import { readFileSync, writeFileSync } from 'node:fs';

const here = (path) => new URL(path, import.meta.url);
const target = here('../../static/messenger-auth.d.ts');
const shapes = ['plugin_types.d.ts', 'guest_types.d.ts'].map((name) => readFileSync(here(name), 'utf8')).join('\n');

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

const placeOf = (name) => shapes.search(new RegExp(`^type ${name} = `, 'm'));
const shapeOf = (name) => balanced(shapes, placeOf(name), ';\n') + ';';

/** The shapes that a text names, and those that they name. */
function shapesIn(text, known = new Set()) {
  for (const [, name] of text.matchAll(/\b([A-Z]\w+)\b/g)) {
    if (known.has(name) || placeOf(name) < 0) continue;
    known.add(name);
    shapesIn(shapeOf(name), known);
  }
  return [...known].sort();
}

function declared() {
  // `boot` says in its JSDoc that this is what it returns, and tsc --strict holds it to that.
  if (!readFileSync(here('../../static/messenger-auth.js'), 'utf8').includes('@returns {MessengerAuthApi} */\nfunction boot(')) {
    throw new Error('boot no longer returns a MessengerAuthApi');
  }
  const named = shapesIn(shapeOf('MessengerAuthApi')).map((name) => 'export ' + shapeOf(name)).join('\n\n');
  return `// The types of window.MessengerAuth, made from those of static/messenger-auth.js by tests/plugin/declare.mjs.
// What each member does is said in docs/plugin.md.

${named.replaceAll('MessengerAuthApi', 'MessengerAuth')}

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
if (!process.argv.includes('--check')) writeFileSync(target, now);
else if (readFileSync(target, 'utf8') !== now) {
  console.error('static/messenger-auth.d.ts is not what the shapes say: run `node declare.mjs`\n' + now);
  process.exitCode = 1;
}

/* The drawing: lanes, marks, lives of JWTs and commands under way, as SVG. */

const SVG = "http://www.w3.org/2000/svg";
const AXIS = 28;
const LANE = 56;
const BARS = 40;
const RIGHT = 16;
const STACKED = 11;
const FOLD = 60;
/** An open socket lives on without a JWT: a short gap costs nobody anything. */
const HARMLESS = 10_000;
const LONG_PAUSE = 20_000;
const COMMANDS = new Set(["command_called", "command_settled", "command_registered", "asked", "answered"]);
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600].map((s) => s * 1000);

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const titled = (shape, text) => {
  const title = drawn("title", {});
  title.textContent = text;
  shape.append(title);
  return shape;
};

const written = (x, y, text, kind = "") => {
  const made = drawn("text", { x, y, class: kind });
  made.textContent = text;
  return made;
};

export const clock = (at) =>
  new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** What the story has besides its events: tabs, JWTs, commands, and when it ends. */
export function readStory({ events, now_ms: now, isLive }) {
  const tabs = [...new Set(events.map((one) => one.tab).filter(Boolean))];
  const last = events.at(-1)?.at ?? now;
  const end = isLive ? now : Math.max(last, Math.min(now, last + 15_000));
  return { tabs, lives: livesOf(events, end), calls: callsOf(events), pages: pagesOf(events, end), end };
}

function livesOf(events, end) {
  const lives = [];
  for (const { at, step, facts } of events) {
    if (step !== "bus" || facts.event !== "Auth.authenticated" || !facts.exp) continue;
    if (lives.some((life) => life.jwt === facts.jwt)) continue;
    lives.push({ at, jwt: facts.jwt ?? "JWT", exp: facts.exp * 1000 });
  }
  const over = (from) => events.find((one) => one.at > from && (one.step === "session_ended" || one.facts.event === "Auth.loggedOut"))?.at;
  return lives.map((life, place) => {
    const next = lives[place + 1]?.at ?? Math.min(end, over(life.at) ?? end);
    return { ...life, until: Math.min(life.exp, next), gap: next > life.exp + HARMLESS ? next : null };
  });
}

function callsOf(events) {
  const open = new Map();
  const calls = [];
  for (const { at, tab, step, facts } of events) {
    const key = `${tab} ${facts.call}`;
    if (step === "command_called") {
      const call = { tab, at, name: facts.name, end: null, how: "hanging" };
      open.set(key, call);
      calls.push(call);
    } else if (step === "command_settled" && open.get(key)?.end === null) Object.assign(open.get(key), { end: at, how: facts.how });
    else if (step === "page_left") {
      for (const call of calls) if (call.tab === tab && call.end === null) Object.assign(call, { end: at, how: "left" });
    }
  }
  return calls;
}

function pagesOf(events, end) {
  const pages = [];
  for (const { at, tab, step, facts } of events) {
    const page = pages.findLast((one) => one.tab === tab);
    if (step === "page_loaded") pages.push({ tab, at, end, hidden: facts.shown === false ? [[at, end]] : [] });
    else if (!page) continue;
    else if (step === "page_left") page.end = at;
    else if (step === "hidden") page.hidden.push([at, end]);
    else if (step === "visible" && page.hidden.length) page.hidden.at(-1)[1] = at;
  }
  return pages;
}

/** Time as it is, or folded: then a pause counts by its logarithm, and no burst is a blot. */
export function scaleOf({ from, to, folded, story, events }) {
  if (!folded) return { share: (at) => (at - from) / (to - from), at: (share) => from + share * (to - from) };
  const moments = [from, to, story.end, ...events.map((one) => one.at), ...story.lives.flatMap(({ exp, gap }) => [exp, gap ?? exp])];
  const stops = [...new Set(moments)].filter((at) => at >= from && at <= to).sort((one, other) => one - other);
  const ends = [0];
  for (const [place, at] of stops.entries()) if (place) ends.push(ends[place - 1] + Math.log1p((at - stops[place - 1]) / FOLD));
  const whole = ends.at(-1) || 1;
  const between = (value, list, other) => {
    const place = Math.min(Math.max(list.findLastIndex((one) => one <= value), 0), list.length - 2);
    const wide = list[place + 1] - list[place] || 1;
    return other[place] + ((value - list[place]) / wide) * (other[place + 1] - other[place]);
  };
  return {
    folds: stops.slice(1).map((at, place) => [stops[place], at]),
    share: (at) => between(at, stops, ends) / whole,
    at: (share) => between(share * whole, ends, stops),
  };
}

/** Draws into `place` what lies between two times. `choose` is told of a click on a mark. */
export function drawTimeline(place, story, events, { from, to, folded, chosen, choose }) {
  const width = Math.max(place.clientWidth, 280);
  const gutter = width < 620 ? 80 : 112;
  const lanes = [
    { id: "jwt", name: "JWT", height: BARS },
    ...story.tabs.map((tab, number) => ({ id: `tab ${tab}`, name: `Tab ${number + 1}`, height: LANE })),
    ...[["server", "Server"], ["provider", "Provider"], ["genesys", "Genesys"]].map(([id, name]) => ({ id, name, height: LANE - 12 })),
  ];
  const height = AXIS + lanes.reduce((sum, lane) => sum + lane.height, 0);
  const room = width - gutter - RIGHT;
  const scale = scaleOf({ from, to, folded, story, events });
  const x = (at) => gutter + scale.share(at) * room;
  const inside = (at) => Math.min(Math.max(x(at), gutter), width - RIGHT);
  const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Timeline; the table below has the same events." });
  picture.append(hatch());
  drawLanes(picture, lanes, { width, gutter });
  if (folded) drawFolds(picture, { scale, x, height });
  else drawAxis(picture, { from, to, x, height });
  const top = Object.fromEntries(lanes.map((lane) => [lane.id, lane.top]));
  const span = (kind, at, until, y, tall, words) => {
    if (until < from || at > to) return null;
    const left = inside(at);
    const shape = drawn("rect", { x: left, y, width: Math.max(inside(until) - left, 2), height: tall, rx: 2, class: kind });
    picture.append(words ? titled(shape, words) : shape);
    return { left, right: inside(until) };
  };
  for (const page of story.pages) {
    const y = top[`tab ${page.tab}`] + 5;
    span("alive", page.at, page.end, y, LANE - 10);
    for (const [at, until] of page.hidden) span("asleep", at, Math.min(until, page.end), y + 1, LANE - 12, "Tab hidden");
  }
  drawLives(picture, story, top.jwt, { span, inside, x, from, to });
  for (const call of story.calls) {
    const until = call.end ?? story.end;
    span(`call ${call.how}`, call.at, until, top[`tab ${call.tab}`] + LANE - 13, 4, `${call.name}: ${call.how}, ${until - call.at} ms`);
  }
  drawMarks(picture, events, { top, x, from, to, chosen, choose });
  if (chosen && chosen.at >= from && chosen.at <= to) {
    picture.append(drawn("line", { x1: x(chosen.at), x2: x(chosen.at), y1: AXIS, y2: height, class: "cursor" }));
  }
  place.replaceChildren(picture);
}

function hatch() {
  const pattern = drawn("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(drawn("line", { x1: 0, y1: 0, x2: 0, y2: 6, class: "hatch" }));
  return drawn("defs", {}, pattern);
}

function drawLanes(picture, lanes, { width, gutter }) {
  let y = AXIS;
  for (const [place, lane] of lanes.entries()) {
    lane.top = y;
    picture.append(drawn("rect", { x: 0, y, width, height: lane.height, class: place % 2 ? "lane" : "lane striped" }));
    picture.append(drawn("line", { x1: 0, x2: width, y1: y, y2: y, class: "border" }));
    picture.append(written(gutter < 100 ? 8 : 16, y + lane.height / 2 + 4, lane.name, "lane-name"));
    y += lane.height;
  }
  picture.append(drawn("line", { x1: gutter - 8, x2: gutter - 8, y1: 0, y2: y, class: "border" }));
}

function drawAxis(picture, { from, to, x, height }) {
  const few = Math.max(2, Math.floor((x(to) - x(from)) / 110));
  const step = STEPS.find((one) => (to - from) / one <= few) ?? 43_200_000;
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    picture.append(drawn("line", { x1: x(at), x2: x(at), y1: AXIS, y2: height, class: "rule" }));
    const label = written(x(at), 18, step < 60_000 ? clock(at) : clock(at).slice(0, 5));
    label.setAttribute("text-anchor", x(at) > x(to) - 30 ? "end" : "middle");
    picture.append(label);
  }
}

/** Times stand where something begins again; a long pause says how long it was. */
function drawFolds(picture, { scale, x, height }) {
  let free = 0;
  const label = (at, text, kind) => {
    const made = written(at, 18, text, kind);
    made.setAttribute("text-anchor", "middle");
    picture.append(made);
    free = at + 34 + text.length * 2;
  };
  for (const [at, until] of scale.folds) {
    if (x(at) - 30 > free && x(at) + 30 < x(scale.at(1))) {
      picture.append(drawn("line", { x1: x(at), x2: x(at), y1: AXIS, y2: height, class: "rule" }));
      label(x(at), clock(at));
    }
    const middle = (x(at) + x(until)) / 2;
    if (until - at < LONG_PAUSE || middle - 24 < free) continue;
    label(middle, `⋯ ${pauseOf(until - at)} ⋯`, "pause");
  }
}

const pauseOf = (ms) => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`);

function drawLives(picture, story, y, { span, inside, x, from, to }) {
  for (const life of story.lives) {
    const minutes = Math.round((life.exp - life.at) / 1000);
    const words = `JWT ${life.jwt}: came ${clock(life.at)}, good until ${clock(life.exp)} (${minutes} s)`;
    if (life.exp > life.until) span("spare", life.until, Math.min(life.exp, story.end), y + 10, 20, words);
    const bar = span("jwt", life.at, life.until, y + 10, 20, words);
    if (bar && bar.right - bar.left > 76) picture.append(written(bar.left + 8, y + 24, life.jwt, "jwt-name"));
    if (life.exp >= from && life.exp <= to && life.exp <= story.end) {
      picture.append(titled(drawn("line", { x1: x(life.exp), x2: x(life.exp), y1: y + 6, y2: y + 34, class: "exp" }), words));
    }
    if (!life.gap) continue;
    const seconds = Math.round((life.gap - life.exp) / 1000);
    const gap = span("gap", life.exp, life.gap, y + 10, 20, `No JWT lived for ${seconds} s`);
    if (gap && gap.right - gap.left > 90) picture.append(written(inside(life.exp) + 8, y + 24, `none for ${seconds} s`, "gap-name"));
  }
}

/** Marks that would lie on each other are stacked, three high. */
function drawMarks(picture, events, { top, x, from, to, chosen, choose }) {
  const last = new Map();
  for (const event of events) {
    if (event.at < from || event.at > to) continue;
    const lane = event.tab ? `tab ${event.tab}` : event.lane;
    const at = x(event.at);
    const before = last.get(lane);
    const level = before && at - before.at < STACKED ? (before.level + 1) % 3 : 0;
    last.set(lane, { at, level });
    const y = top[lane] + (event.tab ? 14 : 12) + level * 11;
    const shape = shapeOf(event, at, y);
    shape.classList.add("mark", event.level);
    if (COMMANDS.has(event.step)) shape.classList.add("command");
    if (event === chosen) shape.classList.add("chosen");
    shape.addEventListener("click", () => choose(event));
    picture.append(titled(shape, `${clock(event.at)} ${event.words}`));
  }
}

function shapeOf(event, x, y) {
  if (event.level === "bad") return drawn("path", { d: `M${x} ${y - 7}l7 12h-14z` });
  if (COMMANDS.has(event.step)) return drawn("rect", { x: x - 4.5, y: y - 4.5, width: 9, height: 9 });
  if (!event.tab) return drawn("path", { d: `M${x} ${y - 6.5}l6.5 6.5l-6.5 6.5l-6.5 -6.5z` });
  return drawn("circle", { cx: x, cy: y, r: 5 });
}

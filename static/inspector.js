/* The inspector's page: picks a recording, follows it, and shows what it says. */
import { clock, drawTimeline, readStory, scaleOf } from "./inspector-timeline.js";

const PAUSE = 1_500;
const FORMAT = "messenger-bff recording";
const KINDS = {
  "": () => true,
  problems: (one) => one.level === "bad" || one.level === "odd",
  commands: (one) => /^(command_|code_|asked|answered|published)/.test(one.step),
  server: (one) => one.lane !== "tab",
};
const NOTICES = {
  401: ["Recordings are for operators", "Sign in; it opens in a tab of its own. Then come back to this page, which looks by itself."],
  403: ["Recordings are for operators of this service", "You are signed in, and you are not one of them. Whoever runs the service can name you in BFF_INSPECTOR_OPERATORS."],
  404: ["There is no flow inspector here", "It is switched off."],
  away: ["The service does not answer", "This page keeps trying."],
  nobody: ["Nothing is recorded yet", "Make a link and send it to the browser that you want to look into."],
  empty: ["Nothing is recorded yet", "Open the shop in this browser and sign in. What happens there appears here by itself."],
};

const find = (id) => document.getElementById(id);
const state = { list: [], id: null, told: null, events: [], chosen: null, range: 0, folded: true, view: null, file: "" };

const made = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

async function ask(path, options) {
  const answer = await fetch(`/inspector/${path}`, { cache: "no-store", ...options });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.message), { status: answer.status });
  return body;
}

// What there is to look at.

function notice(name) {
  const [title, text] = NOTICES[name] ?? NOTICES.away;
  find("notice-title").textContent = title;
  find("notice-text").textContent = text;
  const { site } = document.body.dataset;
  const link = { 401: ["Sign in", "/auth/login"], empty: [`Open ${site}`, `${site}/`] }[name];
  find("notice-more").hidden = !link;
  if (link) Object.assign(find("notice-link"), { textContent: link[0], href: link[1] });
  find("notice").hidden = false;
  find("story").hidden = true;
  find("export").hidden = true;
}

function tell(text, isLive = false) {
  find("pulse").textContent = text;
  find("pulse").classList.toggle("on", isLive);
}

const nameOf = ({ label, person, started_at: at, own }) =>
  [label || (own ? "This browser" : "A browser"), person && `person ${person}`, clock(at)].filter(Boolean).join(" · ");

function showList({ recordings, operator }) {
  state.list = recordings;
  find("invite").hidden = !operator;
  find("chooser").hidden = recordings.length < 2;
  const chooser = find("recordings");
  const shown = [...chooser.options].map((one) => one.value + one.text).join();
  if (shown !== recordings.map((one) => one.id + nameOf(one)).join()) {
    chooser.replaceChildren(...recordings.map((one) => made("option", { value: one.id, text: nameOf(one) })));
  }
  const known = recordings.some((one) => one.id === state.id);
  if (!known) pick(recordings[0]?.id ?? null);
  if (state.id) chooser.value = state.id;
  if (!recordings.length) notice(operator ? "nobody" : "empty");
}

function pick(id) {
  Object.assign(state, { id, told: null, events: [], chosen: null, view: null });
  if (id) find("export").href = `/inspector/recordings/${encodeURIComponent(id)}/export`;
}

// Following it.

async function follow() {
  const id = state.id;
  const after = state.told?.cursor ?? 0;
  const told = await ask(`recordings/${encodeURIComponent(id)}?after=${after}`);
  if (id !== state.id || state.file) return;
  const isFresh = told.events.length > 0 || !state.told;
  const findings = JSON.stringify(told.findings);
  const isNews = findings !== JSON.stringify(state.told?.findings);
  state.told = { ...told, isLive: true };
  if (isFresh) state.events = sorted([...state.events, ...told.events]);
  show({ isFresh, isNews });
  const age = Math.max(0, told.now_ms - (state.events.at(-1)?.at ?? told.now_ms));
  tell(age < 20_000 ? "Live" : `Live · last event ${Math.round(age / 1000)} s ago`, true);
}

function sorted(events) {
  const known = new Set();
  const once = events.filter(({ tab, facts }) => {
    const name = `${tab} ${facts.n}`;
    return !facts.n || (!known.has(name) && known.add(name));
  });
  return once.sort((one, other) => one.at - other.at);
}

async function look() {
  if (state.file || document.hidden) return;
  try {
    showList(await ask("recordings"));
    if (state.id) await follow();
    else tell("Waiting for a recording", true);
  } catch (error) {
    tell(error.status ? "Not to be seen" : "Out of reach");
    if (error.status === 401 || error.status === 403 || !state.told) notice(error.status ?? "away");
  }
}

async function keepLooking() {
  await look();
  // A recording that has gone quiet is looked at less often.
  const quiet = (state.told?.now_ms ?? 0) - (state.events.at(-1)?.at ?? 0) > 60_000;
  setTimeout(keepLooking, state.told && quiet ? 3 * PAUSE : PAUSE);
}

// Showing it.

function show({ isFresh = true, isNews = true } = {}) {
  find("notice").hidden = true;
  find("story").hidden = false;
  find("export").hidden = Boolean(state.file);
  state.story = readStory({ ...state.told, events: state.events });
  if (isNews) showFindings(state.told.findings);
  if (isFresh) showEvents();
  draw();
}

function showFindings(findings) {
  const open = new Set([...document.querySelectorAll("#findings details[open]")].map((one) => one.dataset.code));
  // The first one shows what there is behind all of them.
  if (!find("findings").children.length && findings.length) open.add(findings[0].code);
  find("well").hidden = findings.length > 0;
  find("findings-title").textContent = findings.length ? `Findings (${findings.length})` : "Findings";
  find("findings").replaceChildren(...findings.map((one) => finding(one, open.has(one.code))));
}

function finding({ code, weight, title, seen, times, why, fix }, isOpen) {
  const moments = times.slice(0, 12).map((at) => {
    const button = made("button", { type: "button", textContent: clock(at) });
    button.addEventListener("click", () => choose(nearest(at)));
    return button;
  });
  const details = made(
    "details",
    { open: isOpen },
    made("summary", {}, made("span", { className: "weight", textContent: weight }), made("b", { textContent: title }), made("span", { textContent: seen })),
    made(
      "dl",
      {},
      ...[made("dt", { textContent: "Why" }), made("dd", { textContent: why })],
      ...[made("dt", { textContent: "Fix" }), made("dd", { className: "fix", textContent: fix })],
      ...[made("dt", { textContent: "When" }), made("dd", { className: "moments" }, ...moments)],
    ),
  );
  details.dataset.code = code;
  return made("li", { className: weight }, details);
}

const nearest = (at) =>
  state.events.reduce((best, one) => (best && Math.abs(best.at - at) <= Math.abs(one.at - at) ? best : one), null);

function whereOf(event) {
  if (event.tab) return `Tab ${state.story.tabs.indexOf(event.tab) + 1}`;
  return { server: "Server", provider: "Provider", genesys: "Genesys" }[event.lane] ?? event.lane;
}

const HIDDEN_FACTS = new Set(
  "n call name event skew_ms message reason code jwt inside state why key what where times how by seconds life_s".split(" "),
);
const factsOf = (event) =>
  Object.entries(event.facts)
    .filter(([name, value]) => !HIDDEN_FACTS.has(name) && value !== "" && value !== false)
    .map(([name, value]) => (name === "exp" || name === "iat" ? `${name} ${clock(value * 1000)}` : `${name} ${value}`))
    .join(" · ");

function wanted() {
  const words = find("words").value.trim().toLowerCase();
  const fits = KINDS[find("kind").value];
  return state.events.filter((one) => fits(one) && (!words || `${one.words} ${whereOf(one)} ${factsOf(one)}`.toLowerCase().includes(words)));
}

function showEvents() {
  const box = find("scroll");
  const isAtEnd = box.scrollTop + box.clientHeight > box.scrollHeight - 40;
  const events = wanted();
  const start = state.events[0]?.at ?? 0;
  find("events").replaceChildren(...events.map((one) => row(one, start)));
  find("count").textContent = `${events.length} of ${state.events.length}`;
  // Who reads further up is not torn away.
  if (isAtEnd && state.told.isLive) box.scrollTop = box.scrollHeight;
}

function row(event, start) {
  const facts = factsOf(event);
  const what = made("td", {}, event.words, ...(facts ? [made("span", { className: "facts", textContent: facts })] : []));
  const line = made(
    "tr",
    { className: event.level, tabIndex: event === (state.chosen ?? state.events[0]) ? 0 : -1 },
    made("td", { textContent: clock(event.at) }),
    made("td", { textContent: `+${((event.at - start) / 1000).toFixed(2)} s` }),
    made("td", { textContent: whereOf(event) }),
    what,
  );
  line.setAttribute("aria-selected", String(event === state.chosen));
  line.addEventListener("click", () => choose(event, { scroll: false }));
  line.event = event;
  return line;
}

function choose(event, { scroll = true, focus = false } = {}) {
  state.chosen = event;
  for (const one of find("events").children) {
    const isIt = one.event === event;
    one.setAttribute("aria-selected", String(isIt));
    one.tabIndex = isIt ? 0 : -1;
    if (isIt && scroll) one.scrollIntoView({ block: "center" });
    if (isIt && focus) one.focus();
  }
  const view = viewNow();
  if (event && (event.at < view.from || event.at > view.to)) {
    const half = (view.to - view.from) / 2;
    state.view = { from: event.at - half, to: event.at + half };
  }
  draw();
}

// How much of it: a range that follows, or a view that stands still.

function viewNow() {
  if (state.view) return state.view;
  const to = state.story.end;
  const first = state.events[0]?.at ?? to - 60_000;
  const from = state.range ? to - state.range : first;
  const margin = state.folded ? 250 : Math.max((to - from) * 0.02, 500);
  return { from: from - margin, to: to + margin };
}

function draw() {
  if (!state.story) return;
  drawTimeline(find("timeline"), state.story, state.events, { ...viewNow(), folded: state.folded, chosen: state.chosen, choose });
}

function moved(by) {
  const { from, to } = viewNow();
  const way = (to - from) * by;
  state.view = { from: from + way, to: to + way };
  draw();
}

function zoomed(by, place = 0.5) {
  const { from, to } = viewNow();
  if (by < 1) {
    // What is looked at grows: a share of the picture, not of the time.
    const scale = scaleOf({ from, to, folded: state.folded, story: state.story, events: state.events });
    state.view = { from: scale.at(place * (1 - by)), to: scale.at(place + (1 - place) * by) };
  } else {
    const wide = Math.min(Math.max((to - from) * by, 200), 48 * 3_600_000);
    const middle = from + (to - from) * place;
    state.view = { from: middle - wide * place, to: middle + wide * (1 - place) };
  }
  draw();
}

function setRange(button) {
  Object.assign(state, { range: Number(button.dataset.range), view: null });
  for (const one of document.querySelectorAll("[data-range]")) one.setAttribute("aria-pressed", String(one === button));
  draw();
}

function dragging(place) {
  let last = null;
  place.addEventListener("pointerdown", (event) => (last = event.clientX));
  addEventListener("pointerup", () => (last = null));
  addEventListener("pointermove", (event) => {
    if (last === null || Math.abs(event.clientX - last) < 3) return;
    moved((last - event.clientX) / Math.max(place.clientWidth - 128, 100));
    last = event.clientX;
  });
  place.addEventListener(
    "wheel",
    (event) => {
      // Plain scrolling is the page's.
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      zoomed(event.deltaY + event.deltaX > 0 ? 1.25 : 0.8, 0.5);
    },
    { passive: false },
  );
}

// Files.

async function openFile(file) {
  try {
    const told = JSON.parse(await file.text());
    if (told.format !== FORMAT || !Array.isArray(told.events) || !Array.isArray(told.findings)) throw new Error("another format");
    Object.assign(state, { file: file.name, told: { ...told, isLive: false }, events: sorted(told.events), chosen: null, view: null });
    find("live").hidden = false;
    tell(`File ${file.name}, made ${new Date(told.lineat).toLocaleString()}`);
    show();
  } catch {
    tell(`${file.name} is no recording of this inspector`);
  }
}

function backToLive() {
  Object.assign(state, { file: "" });
  pick(null);
  find("live").hidden = true;
  find("story").hidden = true;
  void look();
}

// Invitations.

async function makeLink() {
  const trouble = find("invitation-trouble");
  trouble.hidden = true;
  try {
    const headers = { "Content-Type": "application/json", "X-CSRF": "1" };
    const { link } = await ask("invitations", { method: "POST", headers, body: JSON.stringify({ label: find("label").value }) });
    find("link").value = link;
    find("link").hidden = false;
  } catch (error) {
    trouble.textContent = error.message || "The service does not answer.";
    trouble.hidden = false;
  }
}

function listen() {
  find("recordings").addEventListener("change", (event) => (pick(event.target.value), void look()));
  find("kind").addEventListener("change", showEvents);
  find("words").addEventListener("input", showEvents);
  find("open").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", (event) => event.target.files[0] && void openFile(event.target.files[0]));
  find("live").addEventListener("click", backToLive);
  find("invite").addEventListener("click", () => (find("link").hidden = true, find("invitation").showModal()));
  find("make").addEventListener("click", makeLink);
  for (const one of document.querySelectorAll("[data-range]")) one.addEventListener("click", () => setRange(one));
  for (const one of document.querySelectorAll("[data-move]")) one.addEventListener("click", () => moved(Number(one.dataset.move)));
  for (const one of document.querySelectorAll("[data-zoom]")) one.addEventListener("click", () => zoomed(Number(one.dataset.zoom)));
  find("fold").addEventListener("click", () => {
    state.folded = !state.folded;
    find("fold").setAttribute("aria-pressed", String(state.folded));
    draw();
  });
  dragging(find("timeline"));
  find("events").addEventListener("keydown", (event) => {
    const way = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = way && event.target.closest("tr")?.[way];
    if (!next) return;
    event.preventDefault();
    choose(next.event, { focus: true });
  });
  addEventListener("dragover", (event) => (event.preventDefault(), (find("dropzone").hidden = false)));
  addEventListener("dragleave", (event) => event.relatedTarget === null && (find("dropzone").hidden = true));
  addEventListener("drop", (event) => {
    event.preventDefault();
    find("dropzone").hidden = true;
    if (event.dataTransfer.files[0]) void openFile(event.dataTransfer.files[0]);
  });
  addEventListener("resize", draw);
  document.addEventListener("visibilitychange", () => void look());
}

listen();
void keepLooking();

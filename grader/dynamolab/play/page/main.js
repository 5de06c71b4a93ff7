// The page put together: what is heard is shown, what is pressed is asked.
import { coloursOf, element } from "/drawing/dom.js";
import { History } from "./history.js";
import { Counts, KeyPanel, showLoad, showRing, showTrees } from "./panels.js";
import { drawShape, FAMILIES, Stage } from "./stage.js";
import { LinksTable, NodesTable } from "./tables.js";
import { TracePanel } from "./trace.js";

const byId = (id) => document.getElementById(id);
const MOST_LOGGED = 300;
const TRACE_EVERY_MS = 700;

let history = new History();
const keyPanel = new KeyPanel();
const trace = new TracePanel();
let counts = new Counts();
let state = new Map(); // Kind → the message that is shown.
let dirty = new Set();
let lookingBack = null; // The moment that is shown, if it is not the present.
let page = null; // What hello builds: {live, names, colours, stage, nodes, links}.
let alive = false;

// ---- asking

async function ask(name, question, answerAt = byId("answer")) {
  try {
    const response = await fetch(`/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) });
    const answer = await response.json();
    answerAt.textContent = answer.error ?? answer.done;
    answerAt.className = answer.error ? "bad" : "";
    return !answer.error;
  } catch {
    answerAt.textContent = "The harness does not answer.";
    answerAt.className = "bad";
    return false;
  }
}
const act = (question, answerAt) => ask("act", question, answerAt);

// ---- hearing

const names = () => page?.names ?? [];
const shows = (kind) => state.get(kind);
const live = () => Boolean(page?.live) && alive && lookingBack === null;

function hear(message) {
  if (message.kind === "log") return addLog(message.words, message.good);
  history.add(message);
  if (message.kind === "flows") {
    counts.add(message);
    if (lookingBack === null) page?.stage.fly(message.flows);
    return undefined;
  }
  if (message.kind === "hello") build(message);
  if (lookingBack !== null && message.kind !== "hello") return undefined;
  state.set(message.kind, message);
  return soil(message.kind);
}

function soil(...kinds) {
  if (dirty.size === 0) requestAnimationFrame(render);
  for (const kind of kinds) dirty.add(kind);
}

function build(hello) {
  const same = page && page.names.join() === hello.nodes.join();
  byId("about").textContent = [
    `${hello.nodes.length} nodes${hello.of_trace ? "" : ` run ${hello.solution}`}; N = ${hello.config.n}, Q = ${hello.config.q}`,
    hello.config.mode ? `, ${hello.config.mode}` : "",
    hello.recording ? `; recorded in ${hello.recording}` : "",
    hello.of_trace ? "; suspects: who left its last request unanswered" : "",
  ].join("");
  showSettings(hello.config);
  if (same) return;
  const colours = coloursOf(hello.nodes);
  page = { live: hello.live, names: hello.nodes, colours };
  page.stage = new Stage(byId("stage"), hello.nodes, colours, openLink);
  page.nodes = new NodesTable(byId("nodes"), hello.nodes, colours, (question) => act(question), openClock);
  page.links = new LinksTable(byId("links"), hello.nodes, openLink);
  for (const id of ["at", "from", "to", "tree-left", "tree-right"]) fill(byId(id), hello.nodes);
  for (const name of hello.nodes) {
    const label = element("span", {}, name);
    byId("lanes").append(label);
  }
  byId("playback").hidden = hello.live;
  document.body.classList.toggle("recorded", !hello.live); // Nothing can be done to it.
  enableControls();
}

const fill = (select, values, told = String) => select.replaceChildren(...values.map((value) => element("option", { value: String(value) }, told(value))));

function showSettings(config) {
  const counted = [...Array(config.n + 1).keys()];
  fill(byId("hosts"), counted, (count) => (count ? String(count) : "as set"));
  for (const id of ["r", "w"]) {
    fill(byId(id), counted, (count) => (count ? String(count) : "majority"));
    byId(id).value = String(config[id]);
  }
  byId("mode").value = config.mode;
  byId("tree-vnode").max = config.q - 1;
}

// ---- showing

const RENDER = {
  hello: () => {},
  step: () => {},
  nodes: ({ nodes }) => {
    page.stage.showNodes(nodes);
    page.nodes.show(nodes, live());
  },
  links: ({ cuts, models }) => {
    page.stage.showLinks(cuts, models);
    page.links.show(cuts, models);
  },
  rings: () => showRing(shows("rings").rings, shows("key"), page.colours),
  key: (key) => {
    keyPanel.show(key, names());
    if (shows("rings")) RENDER.rings();
  },
  trees: (trees) => byId("trees-details").open && showTrees(trees),
  load: (load) => {
    showLoad(load);
    if (document.activeElement !== byId("rate")) byId("rate").value = load.rate;
    byId("rate-now").textContent = String(load.rate);
  },
  script: showScript,
  trouble: ({ words }) => byId("trouble").replaceChildren(...(words ? [element("p", {}, words)] : [])),
};

function render() {
  const kinds = dirty;
  dirty = new Set();
  if (!page) return;
  for (const kind of kinds) if (state.has(kind)) RENDER[kind](state.get(kind));
}

function showRates() {
  if (!page) return;
  const { types, nodes } = counts.rates(lookingBack ?? history.last);
  page.nodes.showRates(nodes);
  counts.show(types);
}

// What was to be seen at a moment; null: the present.
function lookAt(t, kept = null) {
  lookingBack = t;
  state = kept ?? history.at(t ?? Infinity);
  if (state.has("hello")) showSettings(state.get("hello").config);
  if (!state.has("key")) keyPanel.show(null, names());
  if (!state.has("links")) RENDER.links({ cuts: [], models: [] });
  if (!state.has("trouble")) RENDER.trouble({ words: "" });
  soil(...state.keys());
  enableControls();
}

function enableControls() {
  const on = live();
  for (const control of document.querySelectorAll("#client button, #settings button, #settings select, #rate, #heal-all, #link [data-link], #skew-set, #tree-choice button")) control.disabled = !on;
  byId("save").hidden = !page?.live;
  if (shows("nodes")) page.nodes.show(shows("nodes").nodes, on);
}

function addLog(words, good = true) {
  const log = byId("log");
  log.append(element("li", { className: good ? "" : "bad" }, words));
  while (log.children.length > MOST_LOGGED) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
}

// ---- demonstrations: forwards, and back over what was shown

let backAt = null; // Of a demonstration: the step that is looked back at.

function showScript(script) {
  byId("script").hidden = false;
  document.body.classList.add("demo");
  byId("script-title").textContent = script.title;
  byId("script-where").textContent = `step ${script.step} of ${script.of}${script.busy ? ", at work …" : ""}`;
  byId("caption").textContent = script.step ? script.caption : "Press Next to begin.";
  byId("question").textContent = script.ask;
  byId("step-back").disabled = script.step === 0 || script.busy;
  byId("step-next").disabled = backAt === null && (script.busy || script.step === script.of || !live());
  lookWhere(script);
  byId("looking-back").textContent = backAt === null ? "" : "You are looking back; the cluster stands where it was. Next leads forward again.";
}

// Once a step: the panel that it is about comes to the top of its column, so that nobody scrolls on a projector.
let lookedAt = 0;
function lookWhere({ step, busy, look }) {
  if (busy || lookedAt === step) return;
  lookedAt = step;
  document.querySelector("section.looked")?.classList.remove("looked");
  const section = look && document.querySelector(`section.${look}`);
  if (!section) return;
  section.classList.add("looked");
  section.querySelector("details")?.setAttribute("open", "");
  scrollTo({ top: 0 });
}

function stepBack() {
  const now = backAt ?? history.at(Infinity).get("script")?.step ?? 0;
  if (now === 0 || history.at(Infinity).get("script").busy) return;
  if (backAt === null) history.keep(now, history.last);
  backAt = now - 1;
  const kept = history.steps[backAt];
  if (kept) lookAt(kept.t, kept.state);
}

function stepNext() {
  if (backAt !== null) {
    const newest = history.at(Infinity).get("script").step;
    backAt = backAt + 1 >= newest ? null : backAt + 1;
    const kept = backAt === null ? null : history.steps[backAt];
    return lookAt(kept?.t ?? null, kept?.state ?? null);
  }
  if (!byId("step-next").disabled) ask("step", {}, byId("looking-back"));
  return undefined;
}

// ---- a recording, played back

let playing = null;

async function openRecording() {
  const response = await fetch("/recording");
  const messages = await response.json();
  const { recording, of_trace: ofTrace } = shows("hello");
  history = new History(Infinity);
  for (const message of messages) {
    if (message.kind === "log") addLog(ofTrace ? message.words : `${(message.t / 1000).toFixed(1)} s  ${message.words}`, message.good);
    else history.add(message.kind === "hello" ? { ...message, live: false, recording } : message);
  }
  const seconds = (t) => (t / 1000).toFixed(history.last < 10_000 ? 3 : 1);
  const first = messages.find(({ kind }) => kind === "nodes")?.t ?? 0;
  byId("time").min = first;
  byId("time").max = history.last;
  const moveTo = (t) => {
    const flows = history.flowsAt(t);
    counts = new Counts();
    flows.forEach((message) => counts.add(message));
    page.stage.fly(flows.flatMap((message) => message.flows));
    byId("time").value = t;
    lookAt(t);
    const step = shows("step"); // Of a trace.
    byId("moment").textContent = step ? `${step.moment} ${step.where}: ${step.words}` : `${seconds(t)} of ${seconds(history.last)} s`;
    byId("time").setAttribute("aria-valuetext", byId("moment").textContent);
    showRates();
  };
  const stop = () => {
    clearInterval(playing);
    playing = null;
    byId("play").textContent = "Play";
    byId("play").setAttribute("aria-pressed", "false");
  };
  byId("time").addEventListener("input", () => moveTo(Number(byId("time").value)));
  byId("play").addEventListener("click", () => {
    if (playing) return stop();
    byId("play").textContent = "Pause";
    byId("play").setAttribute("aria-pressed", "true");
    let [last, t] = [performance.now(), Number(byId("time").value)];
    if (t >= history.last) t = first;
    playing = setInterval(() => {
      t += (performance.now() - last) * Number(byId("speed").value);
      last = performance.now();
      moveTo(Math.min(Math.round(t), history.last));
      if (t >= history.last) stop();
    }, 100);
    return undefined;
  });
  moveTo(first);
}

// ---- dialogs

function openLink(from, to) {
  if (!live()) return;
  byId("from").value = from;
  byId("to").value = to;
  byId("link-answer").textContent = "";
  byId("link").showModal();
}

for (const button of document.querySelectorAll("[data-link]")) {
  button.addEventListener("click", () => {
    const number = (id) => Number(byId(id).value);
    const question = { act: button.dataset.link, from: byId("from").value, to: byId("to").value, both: byId("both").checked };
    if (question.act === "link") Object.assign(question, { delay_ms: number("delay"), loss_percent: number("loss") });
    if (question.act === "drop") Object.assign(question, { count: number("count"), message: byId("message").value });
    act(question, byId("link-answer"));
  });
}

let clockOf = "";
function openClock(name) {
  clockOf = name;
  byId("clock-title").textContent = `The wall clock of ${name}`;
  byId("clock-answer").textContent = "";
  byId("clock").showModal();
}
byId("skew-set").addEventListener("click", () => act({ act: "skew", node: clockOf, ms: Number(byId("skew").value) }, byId("clock-answer")));

// ---- controls

byId("client").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [key, what] = [byId("key").value, event.submitter.value];
  await act({ act: "watch", key });
  if (what === "watch") return;
  await act({ act: what, key, value: byId("value").value, at: byId("at").value, hosts: Number(byId("hosts").value), context: byId("context").checked });
});
byId("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  act({ act: "mode", mode: byId("mode").value, r: Number(byId("r").value), w: Number(byId("w").value) });
});
byId("tree-choice").addEventListener("submit", (event) => {
  event.preventDefault();
  act({ act: "watch", tree: [Number(byId("tree-vnode").value), byId("tree-left").value, byId("tree-right").value] });
});
byId("tree-follow").addEventListener("click", () => act({ act: "watch", key: shows("key")?.key ?? byId("key").value }));
byId("trees-details").addEventListener("toggle", () => showTrees(shows("trees")));
byId("rate").addEventListener("input", () => {
  byId("rate-now").textContent = byId("rate").value;
});
byId("rate").addEventListener("change", () => act({ act: "load", rate: Number(byId("rate").value) }));
byId("heal-all").addEventListener("click", () => act({ act: "heal_all" }));
byId("step-back").addEventListener("click", stepBack);
byId("step-next").addEventListener("click", stepNext);
byId("all-panels").addEventListener("click", () => {
  const all = document.body.classList.toggle("all");
  byId("all-panels").setAttribute("aria-pressed", String(all));
});
byId("help-button").addEventListener("click", toggleHelp);
function toggleHelp() {
  byId("help").hidden = !byId("help").hidden;
  byId("help-button").setAttribute("aria-expanded", String(!byId("help").hidden));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, dialog")) return;
  const keys = { "?": toggleHelp, ...(byId("script").hidden ? {} : { PageDown: stepNext, PageUp: stepBack }) };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

// ---- the beginning

byId("legend").append(...FAMILIES.map(({ name, shape, colour }) => {
  const canvas = element("canvas", { width: 14, height: 14, ariaHidden: "true" });
  const context = canvas.getContext("2d");
  context.fillStyle = colour;
  drawShape(context, shape, 7, 7, 5);
  return element("span", {}, canvas, name);
}));
fill(byId("message"), ["", ...FAMILIES.flatMap(({ types }) => types.flatMap((type) => [type, `${type} reply`]))], (type) => type || "any");

function connection(words, gone) {
  byId("connection").textContent = words;
  byId("connection").classList.toggle("gone", gone);
}

const events = new EventSource("/events");
events.addEventListener("message", (event) => {
  const first = page === null;
  hear(JSON.parse(event.data));
  if (first && page && !page.live) {
    connection("recorded", false);
    openRecording();
  }
});
events.addEventListener("open", () => {
  alive = true;
  byId("log").replaceChildren();
  connection(page && !page.live ? "recorded" : "live", false);
  if (page) enableControls();
});
events.addEventListener("error", () => {
  alive = false;
  connection(page?.live === false ? "the harness is gone" : "the harness is gone: this is what was heard last", true);
  enableControls();
});
setInterval(showRates, 500);
setInterval(() => {
  const shown = page?.live ? lookingBack === null : lookingBack !== null;
  if (alive && shown) trace.draw(lookingBack);
}, TRACE_EVERY_MS);
keyPanel.show(null, []);
showTrees(null);

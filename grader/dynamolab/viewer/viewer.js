import { clock, isClock, versionsOf } from "../drawing/clocks.js";
import { cut, element } from "../drawing/dom.js";
import { Rings } from "../drawing/rings.js";
import { SpaceTime } from "../drawing/spacetime.js";
import { States } from "../drawing/states.js";

(() => {
  const { lanes, steps, arrows, rings: found, places } = JSON.parse(document.getElementById("data").textContent);
  const states = new States(lanes, steps);
  const diagram = new SpaceTime(lanes, steps, arrows);
  const byId = (id) => document.getElementById(id);
  const MOST_ENTRIES = 40; // Of a node's space, in the panel.

  let here = 0;
  let matches = [];

  // Arrows by both ends.
  const arrowsOf = new Map();
  for (const arrow of arrows) {
    for (const end of arrow) {
      if (end !== null) arrowsOf.set(end, [...(arrowsOf.get(end) ?? []), arrow]);
    }
  }

  const draw = () => diagram.draw(byId("svg"), byId("scroll"), here);

  // ---- the panels

  function entryOf(value) {
    if (value && Array.isArray(value.versions)) return versionsOf(value);
    if (isClock(value)) return [clock(value)];
    if (value && value.subject && value.version) {
      return [`${value.subject} ${value.change === "join" ? "joins" : "leaves"} (${value.version.counter}@${value.version.node})`];
    }
    return [typeof value === "string" ? value : JSON.stringify(value)];
  }

  function showState() {
    const { nodes, changed } = states.after(here);
    const step = steps[here];
    const parts = lanes.map((name) => {
      const node = nodes[name];
      const mine = name === step.node;
      const life = element("span", { className: node.life === "runs" ? "" : "gone" }, node.life, node.full ? ", its disk is full" : "");
      const title = element("h3", {}, `${name}: `, life);
      if (mine && changed.has("life")) title.append(" (changed)");
      const part = element("div", { className: `node${mine ? " here" : ""}` }, title);
      for (const [space, entries] of Object.entries(node.disk)) {
        const keys = Object.keys(entries);
        const gone = mine ? [...changed].filter((c) => c.startsWith(`${space}\n`) && !(c.slice(space.length + 1) in entries)) : [];
        if (keys.length === 0 && gone.length === 0) continue;
        // What only the solution can read is told by its size: one line for all of it.
        const readable = keys.filter((key) => typeof entries[key] !== "string" || !/^\d+ bytes?$/.test(entries[key]));
        part.append(element("div", { className: "soft" }, `${space} (${keys.length})`));
        const told = keys.filter((key) => readable.includes(key) || (mine && changed.has(`${space}\n${key}`)));
        // Keys whose being there says it all: vnodes, owed keys.
        const bare = told.filter((key) => entries[key] === "" && !(mine && changed.has(`${space}\n${key}`)));
        if (bare.length) part.append(element("div", { className: "entry" }, element("code", {}, cut(bare.join(" "), 200))));
        const order = told.filter((key) => !bare.includes(key)).sort((a, b) => changed.has(`${space}\n${b}`) - changed.has(`${space}\n${a}`));
        for (const key of order.slice(0, MOST_ENTRIES)) {
          const isNew = mine && changed.has(`${space}\n${key}`);
          const label = entries[key]?.subject ? [] : [element("code", {}, cut(key, 60)), " "];
          const row = element("div", { className: `entry${isNew ? " changed" : ""}` }, ...label, ...entryOf(entries[key]));
          if (isNew) row.append(" ← changed");
          part.append(row);
        }
        if (told.length > MOST_ENTRIES) part.append(element("div", {}, `… ${told.length - MOST_ENTRIES} more`));
        for (const key of gone) {
          part.append(element("div", { className: "entry changed" }, element("s", {}, cut(key.slice(space.length + 1), 60)), " ← erased"));
        }
      }
      return part;
    });
    byId("state").replaceChildren(...parts);
  }

  function otherEnd(index) {
    const arrow = (arrowsOf.get(index) ?? [])[0];
    if (!arrow) return null;
    return arrow[0] === index ? arrow[1] : arrow[0];
  }

  function showStep() {
    const step = steps[here];
    const parts = [element("p", {}, element("strong", {}, step.words ?? step.event))];
    const facts = [`step ${here + 1} of ${steps.length}`, step.moment, step.event + (step.reply ? " of a reply" : "")];
    if (step.id) facts.push(`${step.event === "timer" ? "timer" : "call"} ${step.id}`);
    parts.push(element("p", { className: "soft" }, facts.filter(Boolean).join(" · ")));
    const other = otherEnd(here);
    if (other !== null) {
      const link = element("a", { href: `#step-${other}` }, `the other end of this message: step ${other + 1}`);
      link.dataset.step = other;
      parts.push(element("p", {}, link));
    } else if (step.event === "send") {
      parts.push(element("p", { className: "gone" }, "Nobody received this message."));
    }
    if (step.text && !(step.words ?? "").includes(step.text)) parts.push(element("p", {}, step.text));
    if (step.data !== undefined && !["start", "commit"].includes(step.event)) {
      parts.push(element("details", { open: true }, element("summary", {}, "what it says"), element("pre", {}, JSON.stringify(step.data, null, 1))));
    }
    byId("step").replaceChildren(...parts);
    showExtra(step);
  }

  // Clocks and places of trees in the message at hand, drawn.
  function showExtra(step) {
    const drawn = [...clocksIn(step.data), ...placesIn(step.data)];
    byId("extra-section").hidden = drawn.length === 0;
    byId("extra").replaceChildren(...drawn);
  }

  function clocksIn(data, name = "", found = []) {
    if (!data || typeof data !== "object" || found.length > 12) return found;
    if (isClock(data)) {
      if (data.entries.length) found.push(element("div", { className: "entry" }, `${name} `, clock(data)));
      return found;
    }
    for (const [key, value] of Object.entries(data)) clocksIn(value, key, found);
    return found;
  }

  // Of the trees, as a message tells them.
  function placesIn(data) {
    const nodes = Array.isArray(data?.nodes) ? data.nodes.filter((node) => node && "leaf" in node) : [];
    return nodes.slice(0, 16).map((node) => {
      const path = `at ${JSON.stringify(node.path)}`;
      if (node.leaf) return element("div", { className: "entry" }, `leaf ${path}: ${(node.copies ?? []).map((copy) => copy.key).join(", ") || "no keys"}`);
      const row = element("tr", {});
      for (const [i, child] of (node.children ?? []).entries()) {
        const empty = /^0*$/.test(String(child?.high ?? child ?? ""));
        row.append(element("td", { className: empty ? "" : "filled", title: `child ${i}: ${JSON.stringify(child)}` }, empty ? "" : i.toString(16)));
      }
      const caption = element("caption", {}, `inner node ${path}: children that hold keys`);
      return element("table", { className: "tree" }, caption, element("tbody", {}, row));
    });
  }

  const rings = new Rings(found);
  byId("ring-section").hidden = rings.rings.length === 0;
  if (rings.rings.length > 1) byId("ring-details").open = true; // Rarely the cause, often a part of it.
  function showRing() {
    if (rings.rings.length === 0) return;
    const parts = rings.beside(steps[here]);
    if (parts) byId("ring").replaceChildren(...parts);
  }
  byId("ring").addEventListener("click", (event) => {
    const button = event.target.closest("[data-ring]");
    if (!button) return;
    rings.chosen = Number(button.dataset.ring);
    showRing();
    byId("ring").querySelector("[aria-pressed=true]").focus();
  });

  const trees = places ? new TreesPanel(places, lanes, (vnode, n) => rings.hostsOf(vnode, n)) : null;
  byId("trees-section").hidden = trees === null;
  const showTrees = () => byId("trees").replaceChildren(...trees.draw(states.after(here).nodes, steps[here]));
  byId("trees").addEventListener("change", (event) => {
    const { name } = event.target;
    trees.choose(byId("trees"));
    showTrees();
    byId("trees").querySelector(`select[name="${name}"]`).focus();
  });
  byId("trees").addEventListener("click", (event) => {
    if (!event.target.closest("[data-follow]")) return;
    trees.chosen = null;
    showTrees();
    byId("trees").querySelector("select").focus();
  });

  // ---- moving

  function go(index, { scroll = true } = {}) {
    if (steps.length === 0) return;
    here = Math.max(0, Math.min(steps.length - 1, index));
    byId("slider").value = here;
    byId("slider").setAttribute("aria-valuetext", `step ${here + 1}: ${steps[here].words ?? steps[here].event}`);
    byId("where").textContent = `${here + 1} / ${steps.length}`;
    byId("live").textContent = `${steps[here].moment ?? ""} ${steps[here].words ?? steps[here].event}`.trim();
    for (const link of document.querySelectorAll(".story a")) {
      if (Number(link.dataset.step) === here) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    }
    if (scroll) {
      const pane = byId("scroll");
      const middle = diagram.y(diagram.nearestRow(here));
      if (middle < pane.scrollTop + SpaceTime.ROW || middle > pane.scrollTop + pane.clientHeight - SpaceTime.ROW) {
        pane.scrollTop = middle - pane.clientHeight / 2;
      }
    }
    draw();
    showStep();
    showState();
    showRing();
    if (trees) showTrees();
  }

  // The `count`th step from here that is shown, forward or back.
  function move(count) {
    const { shown } = diagram;
    let row = diagram.nearestRow(here);
    row = count > 0 ? Math.floor(row) + count : Math.ceil(row) + count;
    go(shown[Math.max(0, Math.min(shown.length - 1, row))] ?? here);
  }

  function hideQuiet() {
    const hide = byId("quiet").checked;
    diagram.show(steps.map((_, i) => i).filter((i) => !hide || !steps[i].quiet));
    byId("tall").style.height = `${diagram.height}px`;
    byId("tall").style.width = `${diagram.width}px`;
    go(here);
  }

  // ---- search

  const texts = steps.map((step) => `${step.words ?? ""} ${step.node ?? ""} ${step.peer ?? ""} ${step.message ?? ""} ${step.text ?? ""} ${JSON.stringify(step.data ?? "")}`.toLowerCase());
  function search() {
    const query = byId("query").value.trim().toLowerCase();
    matches = query ? texts.flatMap((text, i) => (text.includes(query) ? [i] : [])) : [];
    byId("found").textContent = query ? `${matches.length} found` : "";
  }
  function nextMatch(forward) {
    if (matches.length === 0) return;
    const next = forward ? matches.find((i) => i > here) ?? matches[0] : matches.findLast((i) => i < here) ?? matches.at(-1);
    go(next);
    byId("found").textContent = `${matches.indexOf(next) + 1} of ${matches.length}`;
  }

  function toggleHelp() {
    const help = byId("help");
    help.hidden = !help.hidden;
    byId("help-button").setAttribute("aria-expanded", String(!help.hidden));
  }

  const KEYS = {
    ArrowLeft: () => move(-1),
    ArrowUp: () => move(-1),
    ArrowRight: () => move(1),
    ArrowDown: () => move(1),
    PageUp: () => move(-20),
    PageDown: () => move(20),
    Home: () => go(0),
    End: () => go(steps.length - 1),
    "/": () => byId("query").focus(),
    "?": toggleHelp,
    m: () => go(otherEnd(here) ?? here),
    q: () => byId("quiet").click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.id === "query") {
      if (event.key === "Enter") nextMatch(!event.shiftKey);
      if (event.key === "Escape") byId("scroll").focus();
      return;
    }
    if (event.target.type === "checkbox" && event.key === " ") return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-step]");
    if (!target) return;
    event.preventDefault();
    go(Number(target.dataset.step));
  });
  byId("slider").addEventListener("input", (event) => go(Number(event.target.value)));
  byId("first").addEventListener("click", () => go(0));
  byId("last").addEventListener("click", () => go(steps.length - 1));
  byId("back").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("quiet").addEventListener("change", hideQuiet);
  byId("query").addEventListener("input", search);
  byId("found-next").addEventListener("click", () => nextMatch(true));
  byId("found-back").addEventListener("click", () => nextMatch(false));
  byId("help-button").addEventListener("click", toggleHelp);
  byId("scroll").addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  addEventListener("resize", () => requestAnimationFrame(draw));

  for (const name of lanes) {
    const label = element("span", {}, name);
    label.style.left = `${diagram.x(name)}px`;
    byId("lanes").append(label);
  }
  byId("scroll").addEventListener("scroll", () => {
    byId("lanes").scrollLeft = byId("scroll").scrollLeft;
  });
  const named = /^#step-(\d+)$/.exec(location.hash);
  // A failure is at the end; what changed nothing there tells little.
  const end = steps.findLastIndex((step) => !step.quiet);
  here = named ? Number(named[1]) : Math.max(0, end);
  hideQuiet();
  document.documentElement.dataset.openMs = Math.round(performance.now()); // For ./lab bench.
})();

"use strict";
(() => {
  const { lanes, steps, arrows, rings: found } = JSON.parse(document.getElementById("data").textContent);
  const states = new States(lanes, steps);
  const byId = (id) => document.getElementById(id);
  const ROW = 20; // Pixels of a step.
  const LEFT = 78; // Before the first lane: the moments.
  const MARGIN = 40; // Rows drawn beyond what is seen.
  const MOST_ENTRIES = 40; // Of a node's space, in the panel.

  let here = 0;
  let shown = []; // Indexes of the steps that are not hidden.
  let rowOf = new Map(); // Step → row.
  let matches = [];

  // Arrows by both ends; and of each lane, when its node was away.
  const arrowsOf = new Map();
  for (const arrow of arrows) {
    for (const end of arrow) {
      if (end !== null) arrowsOf.set(end, [...(arrowsOf.get(end) ?? []), arrow]);
    }
  }
  const away = lanes.map((name) => {
    const spans = [];
    let since = null;
    steps.forEach((step, i) => {
      if (step.node !== name) return;
      if (["crash", "pause", "wipe"].includes(step.event)) since ??= i;
      if (["start", "restart", "resume"].includes(step.event) && since !== null) {
        spans.push([since, i]);
        since = null;
      }
    });
    if (since !== null) spans.push([since, steps.length - 1]);
    return spans;
  });

  // ---- the diagram: only the rows that can be seen are drawn

  const laneWidth = Math.max(56, Math.min(110, 420 / Math.max(lanes.length, 1)));
  const x = (name) => LEFT + laneWidth * (Math.max(lanes.indexOf(name), 0) + 0.5);
  const wordsAt = LEFT + laneWidth * lanes.length + 12;
  const width = wordsAt + 900;
  const svgNode = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const y = (row) => row * ROW + ROW / 2;
  const nearestRow = (index) => {
    // Of a hidden step: where it would stand, between two rows.
    if (rowOf.has(index)) return rowOf.get(index);
    let low = 0;
    let high = shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (shown[middle] < index) low = middle + 1;
      else high = middle;
    }
    return low - 0.5;
  };

  const FAULTS = new Set(["crash", "wipe", "pause", "cut", "forget", "disk_full", "drop", "running"]);
  function glyph(step, row) {
    const at = { x: step.node ? x(step.node) : LEFT - 8, y: y(row) };
    switch (step.event) {
      case "send":
        return svgNode("circle", { cx: at.x, cy: at.y, r: 4.5, class: "ring-dot" });
      case "receive":
        return svgNode("circle", { cx: at.x, cy: at.y, r: 5, class: "dot" });
      case "timer":
      case "timeout":
      case "refused":
        return svgNode("path", { d: `M${at.x} ${at.y - 6}l6 6l-6 6l-6-6z`, class: step.event === "timer" ? "dot" : "ring-dot" });
      case "commit":
        return svgNode("rect", { x: at.x - 5, y: at.y - 5, width: 10, height: 10, class: "dot" });
      case "crash":
      case "wipe":
      case "running":
        return svgNode("path", { d: `M${at.x - 6} ${at.y - 6}l12 12m0-12l-12 12`, class: "fault", "stroke-width": 3 });
      case "client":
      case "console":
      case "told":
      case "answer":
        return svgNode("path", { d: `M${at.x - 6} ${at.y}h12M${at.x} ${at.y - 6}v12`, class: "dot", "stroke-width": 3 });
      default: {
        const kind = FAULTS.has(step.event) ? "fault" : "ring-dot";
        return svgNode("rect", { x: at.x - 5, y: at.y - 2, width: 10, height: 4, class: kind });
      }
    }
  }

  function drawArrow(parent, [sent, received]) {
    const from = steps[sent];
    const [x1, y1] = [x(from.node), y(nearestRow(sent))];
    const on = sent === here || received === here ? " on" : "";
    if (received === null) {
      const x2 = x1 + (x(from.peer) - x1) * 0.45;
      const tip = `M${x1} ${y1}L${x2} ${y1 + 8}m0-6v12`;
      parent.append(svgNode("path", { d: tip, class: `lost${on}` }));
      return;
    }
    const [x2, y2] = [x(steps[received].node), y(nearestRow(received))];
    const side = x2 > x1 ? -1 : 1;
    const head = `M${x2 + side * 6} ${y2}m${side * 7}-4l${-side * 7} 4l${side * 7} 4`;
    const line = x1 === x2 ? `M${x1} ${y1}q26 ${(y2 - y1) / 2} 0 ${y2 - y1}` : `M${x1} ${y1}L${x2 + side * 6} ${y2}${head}`;
    parent.append(svgNode("path", { d: line, class: `arrow${from.reply ? " reply" : ""}${on}` }));
  }

  function draw() {
    const scroll = byId("scroll");
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - MARGIN);
    const last = Math.min(shown.length - 1, Math.ceil((scroll.scrollTop + scroll.clientHeight) / ROW) + MARGIN);
    const svg = byId("svg");
    svg.replaceChildren();
    const top = first * ROW;
    const height = Math.max(0, (last - first + 1) * ROW);
    svg.setAttribute("viewBox", `0 ${top} ${width} ${height}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
    svg.style.top = `${top}px`;
    for (const [i, name] of lanes.entries()) {
      svg.append(svgNode("line", { x1: x(name), x2: x(name), y1: top, y2: top + height, class: "life" }));
      for (const [from, to] of away[i]) {
        const [y1, y2] = [y(nearestRow(from)), y(nearestRow(to))];
        if (y2 < top || y1 > top + height) continue;
        svg.append(svgNode("line", { x1: x(name), x2: x(name), y1, y2, class: "off" }));
      }
    }
    const begin = shown[first] ?? 0;
    const end = shown[last] ?? -1;
    for (const arrow of arrows) {
      if (arrow[0] > end) break;
      const to = arrow[1] ?? arrow[0];
      // A message between steps that are both hidden is hidden, too.
      if (to < begin || (!rowOf.has(arrow[0]) && !rowOf.has(to))) continue;
      drawArrow(svg, arrow);
    }
    for (let row = first; row <= last; row += 1) {
      const index = shown[row];
      const step = steps[index];
      const group = svgNode("g", { class: `row${index === here ? " here" : ""}`, "data-step": index });
      group.append(svgNode("rect", { x: 0, y: row * ROW, width, height: ROW, class: "band" }));
      group.append(svgNode("text", { x: 2, y: y(row) + 4, class: "soft" }, (step.moment ?? "").replace("t=", "")));
      group.append(glyph(step, row));
      group.append(svgNode("text", { x: wordsAt, y: y(row) + 4 }, cut(step.words ?? step.event, 140)));
      svg.append(group);
    }
  }

  const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

  // ---- the panels

  const element = (name, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };

  const isClock = (value) => value && Array.isArray(value.entries);
  function clock(value, dot) {
    const chips = value.entries.map((entry) => chip(entry, false));
    if (dot) chips.push(chip(dot, true));
    return element("span", { className: "clock" }, ...chips);
  }
  const chip = ({ actor, counter }, dotted) =>
    element("span", { className: dotted ? "dotted" : "" }, `${dotted ? "dot " : ""}${actor?.node ?? "?"}:${counter}`);

  function entryOf(value) {
    if (value && Array.isArray(value.versions)) {
      if (value.versions.length === 0) return ["no versions"];
      return value.versions.flatMap((version, i) => [
        ...(i ? ["  ‖  "] : []),
        version.value === null ? "deleted " : `${version.value} `,
        clock(version.seen ?? { entries: [] }, version.dot),
      ]);
    }
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

  // Clocks and trees in the message at hand, drawn.
  function showExtra(step) {
    const drawn = [...clocksIn(step.data), ...treesIn(step.data)];
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

  function treesIn(data) {
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

  const rings = new Rings(found, svgNode, element);
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
      const middle = y(nearestRow(here));
      if (middle < pane.scrollTop + ROW || middle > pane.scrollTop + pane.clientHeight - ROW) {
        pane.scrollTop = middle - pane.clientHeight / 2;
      }
    }
    draw();
    showStep();
    showState();
    showRing();
  }

  // The `count`th step from here that is shown, forward or back.
  function move(count) {
    let row = nearestRow(here);
    row = count > 0 ? Math.floor(row) + count : Math.ceil(row) + count;
    go(shown[Math.max(0, Math.min(shown.length - 1, row))] ?? here);
  }

  function hideQuiet() {
    const hide = byId("quiet").checked;
    shown = steps.map((_, i) => i).filter((i) => !hide || !steps[i].quiet);
    rowOf = new Map(shown.map((index, row) => [index, row]));
    byId("tall").style.height = `${shown.length * ROW}px`;
    byId("tall").style.width = `${width}px`;
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
    label.style.left = `${x(name)}px`;
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

// The panels that only show: the ring, the key, the trees, the figures.
import { dotKey, drawVersions, versionsOf } from "/drawing/clocks.js";
import { cut, element } from "/drawing/dom.js";
import { drawRing, drawShares, sharesOf } from "/drawing/rings.js";
import { drawTrees } from "/drawing/trees.js";

const byId = (id) => document.getElementById(id);
const MOST_VERSIONS = 14; // Of the graph: the newest.

// Where the hosts of a preference list begin, clockwise from the key: virtual node → "1", "2" …; stand-ins are "+".
function litPlaces(owners, key) {
  const lit = new Map();
  const active = key.active.map(({ host, stands_in_for: other }) => [host, other]);
  for (const [host, label] of [...key.list.map((host, i) => [host, String(i + 1)]), ...active.filter(([, other]) => other).map(([host]) => [host, "+"])]) {
    const steps = owners.findIndex((_, i) => owners[(key.vnode + i) % owners.length] === host);
    if (steps >= 0) lit.set((key.vnode + steps) % owners.length, label);
  }
  return lit;
}

let ringDrawn = ""; // Under load the key changes many times a second, and where it lies does not.

export function showRing(rings, key, colours) {
  const place = key && [key.key, key.vnode, key.list, key.active, key.told_by];
  const drawn = JSON.stringify([rings.map(({ nodes, owners }) => [nodes, owners]), place]);
  if (drawn === ringDrawn) return;
  ringDrawn = drawn;
  const parts = rings.map(({ nodes, owners }, i) => {
    const title = rings.length === 1 ? `${nodes.join(", ")} have the same one.` : `As ${nodes.join(", ")} ${nodes.length === 1 ? "has" : "have"} it:`;
    if (owners.length === 0) return element("p", {}, `${title} empty.`);
    const lies = key && i === 0 ? { name: key.key, vnode: key.vnode } : null;
    const lit = key && i === 0 ? litPlaces(owners, key) : new Map();
    return element("div", {}, element("p", { className: "soft" }, title), drawRing(owners, colours, lies, lit), drawShares(`${owners.length} virtual nodes: `, sharesOf(owners), colours));
  });
  if (rings.length > 1) parts.unshift(element("p", { className: "bad" }, "The nodes do not agree yet: gossip is on its way."));
  if (key) {
    const standIns = key.active.filter((one) => one.stands_in_for).map((one) => `${one.host} stands in for ${one.stands_in_for}`);
    parts.push(element("p", {}, element("code", {}, cut(key.key, 60)), ` lies in virtual node ${key.vnode}. Preference list: ${key.list.join(", ")}. `, standIns.length ? `As ${key.told_by} sees it, ${standIns.join(", ")} (+).` : ""));
  }
  byId("ring").replaceChildren(...parts);
}

// What each node holds of the key, and the graph of all versions seen since one looks at it.
export class KeyPanel {
  constructor() {
    this.key = "";
    this.seen = new Map(); // Dot → version.
  }

  show(key, names) {
    if (!key) return byId("held").replaceChildren(element("p", { className: "soft" }, "Put a key, or look at one."));
    if (key.key !== this.key) this.seen.clear();
    this.key = key.key;
    const current = new Set();
    for (const { state, hint } of Object.values(key.held)) {
      for (const version of [...(state?.versions ?? []), ...(hint?.versions ?? [])]) {
        this.seen.delete(dotKey(version.dot)); // The newest come last.
        this.seen.set(dotKey(version.dot), version);
        current.add(dotKey(version.dot));
      }
    }
    const standsFor = new Map(key.active.map(({ host, stands_in_for: other }) => [host, other]));
    const rows = names.map((name) => {
      const held = key.held[name];
      const place = key.list.indexOf(name);
      const role = place >= 0 ? `owner ${place + 1}` : standsFor.get(name) ? `for ${standsFor.get(name)}` : "–";
      const parts = held === undefined ? [element("span", { className: "soft" }, "does not answer")] : held.state ? versionsOf(held.state) : ["–"];
      if (held?.hint) parts.push(element("div", {}, element("strong", {}, "hint: "), ...versionsOf(held.hint)));
      return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, role), element("td", {}, ...parts));
    });
    const head = element("tr", {}, ...["node", "is", "holds (beside each: what its writer had seen)"].map((title) => element("th", { scope: "col" }, title)));
    const versions = [...this.seen.values()].slice(-MOST_VERSIONS);
    byId("held").replaceChildren(
      element("p", {}, element("code", {}, cut(key.key, 100))),
      element("div", { className: "wide" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))),
      element("div", { className: "wide" }, drawVersions(versions, current)),
    );
  }
}

export function showTrees(trees) {
  if (!trees) return byId("trees").replaceChildren(element("p", { className: "soft" }, "Look at a key; two of its owners must run, with sync at work."));
  if (!byId("tree-choice").contains(document.activeElement)) {
    byId("tree-vnode").value = trees.vnode;
    [byId("tree-left").value, byId("tree-right").value] = trees.sides.map(({ name }) => name);
  }
  const sides = trees.sides.map(({ name, keys }) => ({ name, keys: keys.map(({ key, path, hash }) => ({ key, path, hash: JSON.stringify(hash) })) }));
  const roots = trees.sides.map(({ root }) => JSON.stringify(root));
  const missing = trees.sides.filter(({ and }) => and > 0).map(({ name, and }) => `${name} has ${and} keys more than are drawn. `);
  const same = roots[0] === roots[1] ? "the same root" : "different roots";
  byId("trees").replaceChildren(
    element("p", {}, `Virtual node ${trees.vnode}. `, trees.sides[0].root ? `The nodes themselves answer ${same}. ` : "By the keys that they hold: ", ...missing),
    ...drawTrees(...sides),
  );
}

export function showLoad(load) {
  if (!load) return;
  const share = (count) => (load.reads ? `${Math.round((1000 * count) / load.reads) / 10} %` : "–");
  const facts = {
    "done, a second": load.done,
    "latency p50, p99": load.p50_ms === null ? "–" : `${load.p50_ms} ms, ${load.p99_ms} ms`,
    "failed, of 10 s": load.failed,
    "gets with 1, 2, 3, 4 versions": load.siblings.map(share).join(", "),
    "stale gets": load.reads ? `${share(load.stale)} of ${load.reads}` : "–",
  };
  byId("load").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

// Messages by type and by node, over the last second and in all.
export class Counts {
  static WINDOW_MS = 2000;

  constructor() {
    this.all = new Map(); // Type → {all, lost}.
    this.recent = []; // [t, type, from, to, count, lost]
  }

  add(message) {
    for (const [from, to, type, , event, count] of message.flows) {
      if (event === "receive") continue;
      const row = this.all.get(type) ?? { all: 0, lost: 0 };
      this.all.set(type, row);
      row[event === "drop" ? "lost" : "all"] += count;
      if (event === "send") this.recent.push([message.t, type, from, to, count]);
    }
  }

  // Counts a second, since `now`: {types: Map, nodes: Map}.
  rates(now) {
    const oldest = now - Counts.WINDOW_MS;
    this.recent = this.recent.filter(([t]) => t >= oldest);
    const [types, nodes] = [new Map(), new Map()];
    for (const [, type, from, to, count] of this.recent) {
      types.set(type, (types.get(type) ?? 0) + count / 2);
      for (const name of [from, to]) nodes.set(name, (nodes.get(name) ?? 0) + count / 2);
    }
    return { types, nodes };
  }

  show(types) {
    const rows = [...this.all].sort(([a], [b]) => a.localeCompare(b, "en")).map(([type, { all, lost }]) =>
      element("tr", {}, element("th", { scope: "row" }, type), ...[Math.round(types.get(type) ?? 0), all, lost].map((count) => element("td", {}, String(count)))));
    byId("types").tBodies[0].replaceChildren(...rows);
  }
}

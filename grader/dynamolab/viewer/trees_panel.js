// The Merkle trees of two nodes after a step, from what lies on their disks then.
import { byName, element } from "../drawing/dom.js";
import { drawTrees } from "../drawing/trees.js";

class TreesPanel {
  // `places`: {q, n, keys: {name: {vnode, path}}} (grader/sim/places.h); `hostsOf(vnode, n)`: who keeps it, [] if unknown.
  constructor(places, lanes, hostsOf) {
    this.lanes = lanes;
    this.n = places.n;
    this.keys = Object.entries(places.keys);
    this.vnodes = [...new Set(this.keys.map(([, { vnode }]) => vnode))].sort((a, b) => a - b);
    this.hostsOf = hostsOf;
    this.chosen = null; // By the reader: {vnode, left, right}; else it follows the steps.
  }

  // `nodes`: States.after; `step`: the one at hand.
  draw(nodes, step) {
    const shown = this.chosen ?? this.#about(nodes, step);
    const side = (name) => ({ name, keys: this.#held(nodes[name], shown.vnode) });
    const cut = this.lanes.filter((name) => nodes[name]?.disk["…"]?.states);
    const parts = [this.#choice(shown, nodes), ...drawTrees(side(shown.left), side(shown.right))];
    if (cut.length) parts.push(element("p", { className: "soft" }, `${cut.join(", ")} wrote more states at once than the trace tells: trees lack some.`));
    return parts;
  }

  #held(node, vnode) {
    const states = node?.disk.state ?? {};
    return this.keys.flatMap(([key, place]) =>
      place.vnode === vnode && states[key]?.hash !== undefined ? [{ key, path: place.path, hash: JSON.stringify(states[key].hash) }] : []);
  }

  #ownersOf(vnode) {
    const hosts = this.hostsOf(vnode, this.n).filter((name) => this.lanes.includes(name));
    return hosts.length > 1 ? hosts.sort(byName) : this.lanes;
  }

  // Two that keep a virtual node and differ there, [left, right], or nothing; those of `first` come first.
  #differing(nodes, vnode, first = []) {
    const marks = new Map(this.#ownersOf(vnode).map((name) => [name, JSON.stringify(this.#held(nodes[name], vnode))]));
    const names = [...first.filter((name) => marks.has(name)), ...[...marks.keys()].filter((name) => !first.includes(name))];
    for (const [i, left] of names.entries()) {
      const right = names.slice(i + 1).find((name) => marks.get(name) !== marks.get(left));
      if (right) return [left, right];
    }
    return null;
  }

  // What the step is about: the two ends of its message, in the virtual node that it names, or one in which two
  // that keep it differ.
  #about(nodes, step) {
    const ends = [step?.node, step?.peer].filter((name) => this.lanes.includes(name));
    const named = this.#vnodeIn(step?.data);
    if (named !== null && ends.length === 2) return { vnode: named, left: ends[0], right: ends[1] };
    for (const vnode of named === null ? this.vnodes : [named, ...this.vnodes]) {
      const pair = this.#differing(nodes, vnode, ends);
      if (pair) return { vnode, left: pair[0], right: pair[1] };
    }
    const vnode = named ?? this.vnodes[0];
    const [left, right] = this.#ownersOf(vnode);
    return { vnode, left, right: right ?? left };
  }

  #vnodeIn(data) {
    if (typeof data?.vnode === "number" && this.vnodes.includes(data.vnode)) return data.vnode;
    const key = data?.key ?? data?.copies?.[0]?.key ?? data?.keys?.[0] ?? Object.keys(data?.state ?? {})[0];
    return this.keys.find(([name]) => name === key)?.[1].vnode ?? null;
  }

  #choice(shown, nodes) {
    const select = (label, values, value, told = String) => {
      const box = element("select", { name: label });
      box.append(...values.map((one) => element("option", { value: String(one), selected: one === value }, told(one))));
      return element("label", {}, `${label} `, box);
    };
    const vnodeWords = (vnode) => `${vnode}${this.#differing(nodes, vnode) ? " ≠" : ""}`;
    const follow = element("button", { type: "button", disabled: this.chosen === null }, "follow the steps");
    follow.dataset.follow = "";
    return element(
      "p",
      { className: "choice" },
      select("virtual node", this.vnodes, shown.vnode, vnodeWords),
      " ",
      select("of", this.lanes, shown.left),
      " ",
      select("beside", this.lanes, shown.right),
      " ",
      follow,
    );
  }

  // The reader has chosen, in `root`; which control has the focus stays.
  choose(root) {
    const value = (name) => root.querySelector(`select[name="${name}"]`).value;
    this.chosen = { vnode: Number(value("virtual node")), left: value("of"), right: value("beside") };
  }
}

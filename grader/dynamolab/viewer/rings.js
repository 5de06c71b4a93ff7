"use strict";
// The rings of the nodes at the end, drawn: virtual node 0 begins at the top, the circle goes clockwise.

class Rings {
  static MOST_DRAWN = 4096; // Virtual nodes; beyond, a circle shows nothing.
  static MOST_NAMED = 64; // Beyond, names do not fit beside the arcs.
  static SIZE = 240;

  // `rings`: [{nodes, owners, keys}], those that differ (model.rings_of); `svgNode` and `element` make nodes.
  constructor(rings, svgNode, element) {
    this.rings = rings.filter((ring) => ring.owners.length > 0);
    this.svgNode = svgNode;
    this.element = element;
    const hosts = [...new Set(this.rings.flatMap((ring) => ring.owners))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    this.colours = new Map(hosts.map((host, i) => [host, `hsl(${(i * 360) / hosts.length} 60% 55%)`]));
    this.chosen = null; // By the reader; else it is the one of the node at hand.
    this.drawn = "";
  }

  // What to show beside a step; nothing if it is what stands there already.
  beside(step) {
    const own = this.rings.findIndex((ring) => ring.nodes.includes(step?.node));
    const which = this.chosen ?? Math.max(0, own);
    const ring = this.rings[which];
    const key = typeof step?.data?.key === "string" && ring.keys[step.data.key] ? step.data.key : null;
    const drawn = `${which} ${key}`;
    if (drawn === this.drawn) return null;
    this.drawn = drawn;
    return [...this.#choice(which), this.#picture(ring, key), this.#shares(ring), ...this.#difference(which), ...this.#keys(ring, key)];
  }

  #choice(which) {
    if (this.rings.length === 1) {
      const { nodes } = this.rings[0];
      return [this.element("p", { className: "soft" }, nodes.length === 1 ? `As ${nodes[0]} has it.` : `${nodes.join(", ")} have the same one.`)];
    }
    const buttons = this.rings.map((ring, i) => {
      const button = this.element("button", { type: "button" }, ring.nodes.join(", "));
      button.setAttribute("aria-pressed", String(i === which));
      button.dataset.ring = i;
      return button;
    });
    return [this.element("p", {}, "The nodes have different rings: ", ...buttons.flatMap((button) => [button, " "]))];
  }

  #picture(ring, key) {
    const { owners } = ring;
    if (owners.length > Rings.MOST_DRAWN) return this.element("p", {}, `${owners.length} virtual nodes are too many to draw.`);
    const size = Rings.SIZE;
    const place = (at, r) => {
      const angle = (2 * Math.PI * at) / owners.length;
      return `${(size / 2 + r * Math.sin(angle)).toFixed(1)} ${(size / 2 - r * Math.cos(angle)).toFixed(1)}`;
    };
    const svg = this.svgNode("svg", { viewBox: `0 0 ${size} ${size}`, width: size, height: size, role: "img", class: "circle" });
    const at = key === null ? "" : `; ${key} lies in virtual node ${ring.keys[key].vnode}`;
    svg.setAttribute("aria-label", `Ring of ${owners.length} virtual nodes: ${this.#counts(ring).map(([host, count]) => `${host} has ${count}`).join(", ")}${at}`);
    owners.forEach((owner, i) => {
      // A path cannot be a whole circle: of one virtual node there are two halves.
      const middle = `${place(i + 0.5, 96)}A96 96 0 0 1 `;
      const back = `${place(i + 0.5, 70)}A70 70 0 0 0 `;
      const d = `M${place(i, 70)}L${place(i, 96)}A96 96 0 0 1 ${middle}${place(i + 1, 96)}L${place(i + 1, 70)}A70 70 0 0 0 ${back}${place(i, 70)}z`;
      const here = key !== null && ring.keys[key].vnode === i;
      svg.append(this.svgNode("path", { d, fill: this.colours.get(owner), class: here ? "arc here" : owners.length <= 512 ? "arc" : "" }));
      if (owners.length > Rings.MOST_NAMED) return;
      const [x, y] = place(i + 0.5, 107).split(" ");
      svg.append(this.svgNode("text", { x, y, "text-anchor": "middle", "dominant-baseline": "middle", class: "small" }, owner));
    });
    if (key !== null) {
      // From the middle to the virtual node of the key: on a large ring its arc is a hair's breadth.
      const { vnode } = ring.keys[key];
      svg.append(this.svgNode("path", { d: `M${size / 2} ${size / 2}L${place(vnode + 0.5, 68)}`, class: "hand" }));
    }
    return svg;
  }

  #counts(ring) {
    const counts = new Map();
    for (const owner of ring.owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return [...this.colours.keys()].flatMap((host) => (counts.has(host) ? [[host, counts.get(host)]] : []));
  }

  // Against the first ring; of the first one, against the second.
  #difference(which) {
    if (this.rings.length === 1) return [];
    const other = this.rings[which === 0 ? 1 : 0];
    const { owners, nodes } = this.rings[which];
    const differs = owners.flatMap((owner, i) => (owner === other.owners[i] ? [] : [i]));
    const first = differs[0];
    const words =
      differs.length === 0
        ? `${nodes[0]} and ${other.nodes[0]} agree on who owns what; their preference lists differ.`
        : `${differs.length} of them lie elsewhere at ${other.nodes[0]}; virtual node ${first} is ${owners[first]}'s here and ${other.owners[first] ?? "nobody"}'s there.`;
    return [this.element("p", {}, words)];
  }

  #shares(ring) {
    const parts = this.#counts(ring).map(([host, count]) => {
      const patch = this.element("span", { className: "patch" });
      patch.style.background = this.colours.get(host);
      return this.element("span", { className: "share" }, patch, `${host || "nobody"} ${count}`);
    });
    return this.element("p", { className: "shares" }, `${ring.owners.length} virtual nodes: `, ...parts);
  }

  #keys(ring, key) {
    const names = key === null ? Object.keys(ring.keys) : [key];
    return names.map((name) => {
      const { vnode, list } = ring.keys[name];
      return this.element("div", { className: "entry" }, this.element("code", {}, name), ` lies in virtual node ${vnode}; its preference list: ${list.join(", ") || "nobody"}`);
    });
  }
}

// Rings, drawn: virtual node 0 begins at the top, the circle goes clockwise.
import { byName, coloursOf, element, svgNode } from "./dom.js";

const MOST_DRAWN = 4096; // Virtual nodes; beyond, a circle shows nothing.
const MOST_NAMED = 64; // Beyond, names do not fit beside the arcs.
const SIZE = 240;

// How many virtual nodes each host has, in the order of their names: [[host, count]].
export function sharesOf(owners) {
  const counts = new Map();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => byName(a, b));
}

// The circle. `key`: {name, vnode}, or null; `lit`: labels of virtual nodes: those
// of its preference list.
export function drawRing(owners, colours, key = null, lit = new Map()) {
  if (owners.length > MOST_DRAWN) return element("p", {}, `${owners.length} virtual nodes are too many to draw.`);
  const place = (at, r) => {
    const angle = (2 * Math.PI * at) / owners.length;
    return `${(SIZE / 2 + r * Math.sin(angle)).toFixed(1)} ${(SIZE / 2 - r * Math.cos(angle)).toFixed(1)}`;
  };
  const svg = svgNode("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, width: SIZE, height: SIZE, role: "img", class: "circle" });
  const at = key === null ? "" : `; ${key.name} lies in virtual node ${key.vnode}`;
  svg.setAttribute("aria-label", `Ring of ${owners.length} virtual nodes: ${sharesOf(owners).map(([host, count]) => `${host} has ${count}`).join(", ")}${at}`);
  owners.forEach((owner, i) => {
    // A path cannot be a whole circle: of one virtual node there are two halves.
    const middle = `${place(i + 0.5, 96)}A96 96 0 0 1 `;
    const back = `${place(i + 0.5, 70)}A70 70 0 0 0 `;
    const d = `M${place(i, 70)}L${place(i, 96)}A96 96 0 0 1 ${middle}${place(i + 1, 96)}L${place(i + 1, 70)}A70 70 0 0 0 ${back}${place(i, 70)}z`;
    const here = key !== null && key.vnode === i;
    svg.append(svgNode("path", { d, fill: colours.get(owner) ?? "none", class: here ? "arc here" : owners.length <= 512 ? "arc" : "" }));
    if (owners.length > MOST_NAMED) return;
    const [x, y] = place(i + 0.5, 107).split(" ");
    svg.append(svgNode("text", { x, y, "text-anchor": "middle", "dominant-baseline": "middle", class: "small" }, owner));
  });
  if (key !== null) {
    // From the middle to the virtual node of the key: on a large ring its arc is a hair's breadth.
    svg.append(svgNode("path", { d: `M${SIZE / 2} ${SIZE / 2}L${place(key.vnode + 0.5, 68)}`, class: "hand" }));
  }
  for (const [i, [vnode, label]] of [...lit].entries()) {
    const [x, y] = place(vnode + 0.5, 58 - 19 * (i % 3)).split(" "); // Neighbours stand one behind the other.
    svg.append(svgNode("circle", { cx: x, cy: y, r: 9, class: "lit-place" }));
    svg.append(svgNode("text", { x, y, "text-anchor": "middle", "dominant-baseline": "central", class: "small lit-name" }, label));
  }
  return svg;
}

// A patch of each host's colour, its name and how much it has: [[host, count]].
export function drawShares(title, shares, colours) {
  const parts = shares.map(([host, count]) => {
    const patch = element("span", { className: "patch" });
    patch.style.background = colours.get(host);
    return element("span", { className: "share" }, patch, `${host || "nobody"} ${count}`);
  });
  return element("p", { className: "shares" }, title, ...parts);
}

// Those of a failure's nodes, at the end.
export class Rings {
  // `rings`: [{nodes, owners, keys}], those that differ (model.rings_of).
  constructor(rings) {
    this.rings = rings.filter((ring) => ring.owners.length > 0);
    this.colours = coloursOf(new Set(this.rings.flatMap((ring) => ring.owners)));
    this.chosen = null; // By the reader; else it is the one of the node at hand.
    this.drawn = "";
  }

  // The hosts of a virtual node as the first node has it: the first `n`, clockwise.
  hostsOf(vnode, n) {
    const owners = this.rings[0]?.owners ?? [];
    return [...new Set([...owners.slice(vnode), ...owners.slice(0, vnode)])].slice(0, n);
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
    const lies = key === null ? null : { name: key, vnode: ring.keys[key].vnode };
    const shares = drawShares(`${ring.owners.length} virtual nodes: `, sharesOf(ring.owners), this.colours);
    return [...this.#choice(which), drawRing(ring.owners, this.colours, lies), shares, ...this.#difference(which), ...this.#keys(ring, key)];
  }

  #choice(which) {
    if (this.rings.length === 1) {
      const { nodes } = this.rings[0];
      return [element("p", { className: "soft" }, nodes.length === 1 ? `As ${nodes[0]} has it.` : `${nodes.join(", ")} have the same one.`)];
    }
    const buttons = this.rings.map((ring, i) => {
      const button = element("button", { type: "button" }, ring.nodes.join(", "));
      button.setAttribute("aria-pressed", String(i === which));
      button.dataset.ring = i;
      return button;
    });
    return [element("p", {}, "The nodes have different rings: ", ...buttons.flatMap((button) => [button, " "]))];
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
    return [element("p", {}, words)];
  }

  #keys(ring, key) {
    const names = key === null ? Object.keys(ring.keys) : [key];
    return names.map((name) => {
      const { vnode, list } = ring.keys[name];
      return element("div", { className: "entry" }, element("code", {}, name), ` lies in virtual node ${vnode}; its preference list: ${list.join(", ") || "nobody"}`);
    });
  }
}

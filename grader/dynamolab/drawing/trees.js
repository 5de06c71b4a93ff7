// Merkle trees of one virtual node on two nodes, side by side: the places that differ are lit.
import { cut, element, svgNode } from "./dom.js";

const FANOUT = 16; // Children of an inner node (labs/6-sync/tree.h).
const LEAF_KEYS = 16; // A leaf has at most so many keys,
const MOST_DEPTH = 15; // unless it lies so deep.
const MOST_LISTED = 40; // Keys told below the drawing.

// The tree over `keys`, [{key, path, hash}]: place → {path, leaf, keys, mark}. What stands at a place follows
// from the keys below it alone, so two marks are equal exactly when the hashes of right trees are.
export function treeOf(keys) {
  const places = new Map();
  const grow = (path, below) => {
    const leaf = below.length <= LEAF_KEYS || path.length >= MOST_DEPTH;
    const mark = below.map(({ key, hash }) => `${key}\n${hash}`).sort().join("\n\n");
    places.set(path, { path, leaf, keys: below, mark });
    if (leaf) return;
    for (let digit = 0; digit < FANOUT; digit += 1) {
      const child = path + digit.toString(16);
      const inside = below.filter((one) => one.path.startsWith(child));
      if (inside.length) grow(child, inside);
    }
  };
  grow("", keys);
  return places;
}

// `tree` with an empty leaf wherever `other` has a place and it has none, below an inner node of its own: so that
// what is missing is drawn, too.
function withGaps(tree, other) {
  const gaps = [...other.keys()].filter((path) => path && !tree.has(path) && tree.get(path.slice(0, -1))?.leaf === false);
  return new Map([...tree, ...gaps.map((path) => [path, { path, leaf: true, keys: [], mark: "" }])]);
}

// The places of either tree at which the two do not hold the same.
export function differingPlaces(left, right) {
  const below = (tree, path) => {
    if (tree.has(path)) return tree.get(path).mark;
    const leaf = [...tree.values()].find((place) => place.leaf && path.startsWith(place.path));
    return (leaf?.keys ?? [])
      .filter((one) => one.path.startsWith(path))
      .map(({ key, hash }) => `${key}\n${hash}`)
      .sort()
      .join("\n\n");
  };
  return new Set([...left.keys(), ...right.keys()].filter((path) => below(left, path) !== below(right, path)));
}

// Keys that only one has, or that have other versions: [{key, how}].
export function differingKeys(left, right, leftName, rightName) {
  const hashes = (keys) => new Map(keys.map(({ key, hash }) => [key, hash]));
  const [mine, theirs] = [hashes(left.get("").keys), hashes(right.get("").keys)];
  return [...new Set([...mine.keys(), ...theirs.keys()])].sort().flatMap((key) => {
    if (!theirs.has(key)) return [{ key, how: `only ${leftName} has it` }];
    if (!mine.has(key)) return [{ key, how: `only ${rightName} has it` }];
    return mine.get(key) === theirs.get(key) ? [] : [{ key, how: "other versions" }];
  });
}

// One tree as a picture; `differing`: the places to be lit.
export function drawTree(name, places, differing) {
  const rows = [];
  for (const path of [...places.keys()].sort()) (rows[path.length] ??= []).push(places.get(path));
  const leaves = [...places.values()].filter((place) => place.leaf).length;
  const width = Math.max(230, leaves * 26 + 20);
  const at = new Map();
  let next = 0;
  // Leaves from left to right; an inner node stands above the middle of its children.
  for (const path of [...places.keys()].sort()) {
    if (places.get(path).leaf) at.set(path, 10 + ((width - 20) * (next++ + 0.5)) / leaves);
  }
  for (const path of [...places.keys()].sort((a, b) => b.length - a.length)) {
    if (at.has(path)) continue;
    const children = [...at].filter(([child]) => child.length === path.length + 1 && child.startsWith(path));
    at.set(path, children.reduce((sum, [, x]) => sum + x, 0) / children.length);
  }
  const height = rows.length * 52 + 8;
  const svg = svgNode("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "merkle" });
  svg.setAttribute("aria-label", `${name}'s tree: ${places.get("").keys.length} keys; ${words(places, differing)}`);
  for (const [path, x] of at) {
    const y = path.length * 52 + 22;
    const lit = differing.has(path) ? " lit" : "";
    if (path) svg.append(svgNode("path", { d: `M${at.get(path.slice(0, -1))} ${y - 40}L${x} ${y - 12}`, class: `branch${lit}` }));
  }
  for (const [path, x] of at) {
    const y = path.length * 52 + 22;
    const { leaf, keys } = places.get(path);
    const lit = differing.has(path) ? " lit" : "";
    const box = leaf ? { x: x - 11, y: y - 11, width: 22, height: 22 } : { x: x - 14, y: y - 11, width: 28, height: 22, rx: 11 };
    const group = svgNode("g");
    group.append(svgNode("title", {}, `${path ? `place ${path}` : "root"}, ${leaf ? "leaf" : "inner node"}: ${cut(keys.map((one) => one.key).join(", "), 300) || "no keys"}`));
    group.append(svgNode("rect", { ...box, class: `place${lit}` }));
    group.append(svgNode("text", { x, y: y + 4, "text-anchor": "middle" }, `${keys.length}${lit ? "≠" : ""}`));
    if (path) group.append(svgNode("text", { x, y: y + 22, "text-anchor": "middle", class: "small" }, path.at(-1)));
    svg.append(group);
  }
  return element("div", { className: "tree-scroll", tabIndex: 0, role: "group", ariaLabel: `Tree of ${name}` }, svg);
}

const words = (places, differing) => {
  const lit = [...places.keys()].filter((path) => differing.has(path)).map((path) => path || "the root");
  return lit.length ? `differs at ${cut(lit.join(", "), 300)}` : "nothing differs";
};

// Both trees, and in words what differs. `left` and `right`: {name, keys: [{key, path, hash}]}.
export function drawTrees(left, right) {
  const [one, other] = [treeOf(left.keys), treeOf(right.keys)];
  const [mine, theirs] = [withGaps(one, other), withGaps(other, one)];
  const differing = differingPlaces(mine, theirs);
  const keys = differingKeys(mine, theirs, left.name, right.name);
  const told = keys.slice(0, MOST_LISTED).map(({ key, how }) => element("li", {}, element("code", {}, cut(key, 60)), `: ${how}`));
  if (keys.length > MOST_LISTED) told.push(element("li", {}, `… ${keys.length - MOST_LISTED} more`));
  const path = [...differing].sort((a, b) => b.length - a.length)[0];
  const summary = keys.length
    ? `The roots differ: ${keys.length} ${keys.length === 1 ? "key" : "keys"}, found by going down to ${path ? `place ${path}` : "the root, which is a leaf"}.`
    : "The roots are equal: both hold the same keys and versions.";
  return [
    element(
      "div",
      { className: "trees" },
      ...[[left, mine], [right, theirs]].map(([side, places]) =>
        element("figure", {}, element("figcaption", {}, `${side.name}: ${side.keys.length} ${side.keys.length === 1 ? "key" : "keys"}`), drawTree(side.name, places, differing))),
    ),
    element("p", {}, summary),
    element("ul", { className: "differing" }, ...told),
  ];
}

// Vector clocks, and versions with them.
import { cut, element, svgNode } from "./dom.js";

export const isClock = (value) => Boolean(value) && Array.isArray(value.entries);

export const dotName = ({ actor, counter }) => `${actor?.node ?? "?"}:${counter}`;

const chip = (entry, dotted) => element("span", { className: dotted ? "dotted" : "" }, `${dotted ? "dot " : ""}${dotName(entry)}`);

// Chips n1:3 n2:1, and the version's own dot.
export function clock(value, dot = undefined) {
  const chips = value.entries.map((entry) => chip(entry, false));
  if (dot) chips.push(chip(dot, true));
  return element("span", { className: "clock" }, ...chips);
}

// The versions of a key's state, siblings side by side: nodes and text.
export function versionsOf(state) {
  if (state.versions.length === 0) return ["no versions"];
  return state.versions.flatMap((version, i) => [
    ...(i ? ["  ‖  "] : []),
    version.value === null ? "deleted " : `${version.value} `,
    clock(version.seen ?? { entries: [] }, version.dot?.counter ? version.dot : undefined), // Lab 3's have none.
  ]);
}

// Has the writer of `version` seen `dot`?
const hasSeen = (version, dot) =>
  (version.seen?.entries ?? []).some(({ actor, counter }) => sameActor(actor, dot.actor) && counter >= dot.counter);
const sameActor = (a, b) => a.node === b.node && a.incarnation === b.incarnation && a.epoch === b.epoch;

export const dotKey = ({ actor, counter }) => `${actor.node} ${actor.incarnation} ${actor.epoch} ${counter}`;

const [BOX, GAP, LINE] = [128, 34, 46];

// Versions as a graph, oldest on the left; an arrow leads from a version to one whose writer had seen it. `current`:
// keys of the dots that some node still holds.
export function drawVersions(versions, current) {
  const before = versions.map((one) => versions.filter((other) => other !== one && hasSeen(one, other.dot)));
  const depth = [];
  const depthOf = (i) => (depth[i] ??= Math.max(-1, ...before[i].map((other) => depthOf(versions.indexOf(other)))) + 1);
  versions.forEach((_, i) => depthOf(i));
  const columns = [];
  depth.forEach((column, i) => (columns[column] ??= []).push(i));
  const rows = Math.max(1, ...columns.map((column) => column.length));
  const [width, height] = [columns.length * (BOX + GAP), rows * LINE + 6];
  const place = (i) => [depth[i] * (BOX + GAP) + 2, columns[depth[i]].indexOf(i) * LINE + 4];
  const svg = svgNode("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "clock-graph" });
  const words = versions.map((one) => `${dotName(one.dot)} ${one.value ?? "deleted"}`).join("; ");
  svg.setAttribute("aria-label", `Versions, oldest first: ${words || "none"}`);
  versions.forEach((one, i) => {
    const [x, y] = place(i);
    // Only the next ones: what lies further back is reached through them.
    const direct = before[i].filter((older) => !before[i].some((other) => other !== older && hasSeen(other, older.dot)));
    for (const older of direct) {
      const [fromX, fromY] = place(versions.indexOf(older));
      svg.append(svgNode("path", { d: `M${fromX + BOX} ${fromY + 18}L${x - 2} ${y + 18}m-7-4l7 4l-7 4`, class: "edge" }));
    }
  });
  versions.forEach((one, i) => {
    const [x, y] = place(i);
    const group = svgNode("g", { class: current.has(dotKey(one.dot)) ? "now" : "" });
    group.append(
      svgNode("rect", { x, y, width: BOX, height: 36, rx: 5 }),
      svgNode("text", { x: x + 6, y: y + 15 }, cut(one.value ?? "deleted", 18)),
      svgNode("text", { x: x + 6, y: y + 30, class: "soft" }, `dot ${dotName(one.dot)}`),
    );
    svg.append(group);
  });
  return svg;
}

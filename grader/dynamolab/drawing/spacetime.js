// The space-time diagram: time goes down, a lane a node. Only the rows that can be seen are drawn.
import { cut, svgNode } from "./dom.js";

const LEFT = 78; // Before the first lane: the moments.
const MOST_WORDS = 140; // Of a step.
const FAULTS = new Set(["crash", "wipe", "pause", "cut", "forget", "disk_full", "drop", "running"]);

export class SpaceTime {
  static ROW = 20; // Pixels of a step.
  static MARGIN = 40; // Rows drawn beyond what is seen.

  // `arrows`: [[sent, received or null]], indexes of steps, in the order of sending (model.arrows_of).
  constructor(lanes, steps, arrows) {
    Object.assign(this, { lanes, steps, arrows });
    this.shown = []; // Indexes of the steps that are not hidden.
    this.rowOf = new Map(); // Step → row.
    this.laneWidth = Math.max(56, Math.min(110, 420 / Math.max(lanes.length, 1)));
    this.wordsAt = LEFT + this.laneWidth * lanes.length + 12;
    this.width = this.wordsAt + 900;
    this.away = lanes.map((name) => this.#awayOf(name));
  }

  show(indexes) {
    this.shown = indexes;
    this.rowOf = new Map(indexes.map((index, row) => [index, row]));
  }

  x(name) {
    return LEFT + this.laneWidth * (Math.max(this.lanes.indexOf(name), 0) + 0.5);
  }

  y(row) {
    return row * SpaceTime.ROW + SpaceTime.ROW / 2;
  }

  get height() {
    return this.shown.length * SpaceTime.ROW;
  }

  // Of a hidden step: where it would stand, between two rows.
  nearestRow(index) {
    if (this.rowOf.has(index)) return this.rowOf.get(index);
    let low = 0;
    let high = this.shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shown[middle] < index) low = middle + 1;
      else high = middle;
    }
    return low - 0.5;
  }

  // Draws what of it lies within `pane`, which scrolls; `here`: the step at hand.
  draw(svg, pane, here) {
    const first = Math.max(0, Math.floor(pane.scrollTop / SpaceTime.ROW) - SpaceTime.MARGIN);
    const seen = Math.ceil((pane.scrollTop + pane.clientHeight) / SpaceTime.ROW);
    const last = Math.min(this.shown.length - 1, seen + SpaceTime.MARGIN);
    const top = first * SpaceTime.ROW;
    const height = Math.max(0, (last - first + 1) * SpaceTime.ROW);
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 ${top} ${this.width} ${height}`);
    svg.setAttribute("width", this.width);
    svg.setAttribute("height", height);
    svg.style.top = `${top}px`;
    if (this.rowOf.has(here)) {
      // Below all else, so that it hides no line.
      svg.append(svgNode("rect", { x: 0, y: this.rowOf.get(here) * SpaceTime.ROW, width: this.width, height: SpaceTime.ROW, class: "here-band" }));
    }
    this.#drawLanes(svg, top, height);
    this.#drawArrows(svg, this.shown[first] ?? 0, this.shown[last] ?? -1, here);
    for (let row = first; row <= last; row += 1) svg.append(this.#rowAt(row, here));
  }

  // When a node was away: [[from, to]], indexes of steps.
  #awayOf(name) {
    const spans = [];
    let since = null;
    this.steps.forEach((step, i) => {
      if (step.node !== name) return;
      if (["crash", "pause", "wipe"].includes(step.event)) since ??= i;
      if (["start", "restart", "resume"].includes(step.event) && since !== null) {
        spans.push([since, i]);
        since = null;
      }
    });
    if (since !== null) spans.push([since, this.steps.length - 1]);
    return spans;
  }

  #drawLanes(svg, top, height) {
    for (const [i, name] of this.lanes.entries()) {
      const x = this.x(name);
      svg.append(svgNode("line", { x1: x, x2: x, y1: top, y2: top + height, class: "life" }));
      for (const [from, to] of this.away[i]) {
        const [y1, y2] = [this.y(this.nearestRow(from)), this.y(this.nearestRow(to))];
        if (y2 < top || y1 > top + height) continue;
        svg.append(svgNode("line", { x1: x, x2: x, y1, y2, class: "off" }));
      }
    }
  }

  #drawArrows(svg, begin, end, here) {
    for (const arrow of this.arrows) {
      if (arrow[0] > end) break;
      const to = arrow[1] ?? arrow[0];
      // A message between steps that are both hidden is hidden, too.
      if (to < begin || (!this.rowOf.has(arrow[0]) && !this.rowOf.has(to))) continue;
      this.#drawArrow(svg, arrow, here);
    }
  }

  #drawArrow(svg, [sent, received], here) {
    const from = this.steps[sent];
    const [x1, y1] = [this.x(from.node), this.y(this.nearestRow(sent))];
    const on = sent === here || received === here ? " on" : "";
    if (received === null) {
      const x2 = x1 + (this.x(from.peer) - x1) * 0.45;
      const tip = `M${x1} ${y1}L${x2} ${y1 + 8}m0-6v12`;
      svg.append(svgNode("path", { d: tip, class: `lost${on}` }));
      return;
    }
    const [x2, y2] = [this.x(this.steps[received].node), this.y(this.nearestRow(received))];
    const side = x2 > x1 ? -1 : 1;
    const head = `M${x2 + side * 6} ${y2}m${side * 7}-4l${-side * 7} 4l${side * 7} 4`;
    const line = x1 === x2 ? `M${x1} ${y1}q26 ${(y2 - y1) / 2} 0 ${y2 - y1}` : `M${x1} ${y1}L${x2 + side * 6} ${y2}${head}`;
    svg.append(svgNode("path", { d: line, class: `arrow${from.reply ? " reply" : ""}${on}` }));
  }

  #rowAt(row, here) {
    const index = this.shown[row];
    const step = this.steps[index];
    const y = this.y(row);
    const group = svgNode("g", { class: `row${index === here ? " here" : ""}`, "data-step": index });
    group.append(svgNode("rect", { x: 0, y: row * SpaceTime.ROW, width: this.width, height: SpaceTime.ROW, class: "band" }));
    group.append(svgNode("text", { x: 2, y: y + 4, class: "soft" }, (step.moment ?? "").replace("t=", "")));
    group.append(glyph(step, step.node ? this.x(step.node) : LEFT - 8, y));
    group.append(svgNode("text", { x: this.wordsAt, y: y + 4 }, cut(step.words ?? step.event, MOST_WORDS)));
    return group;
  }
}

// The sign of a step, with its middle at (x, y).
function glyph(step, x, y) {
  switch (step.event) {
    case "send":
      return svgNode("circle", { cx: x, cy: y, r: 4.5, class: "ring-dot" });
    case "receive":
      return svgNode("circle", { cx: x, cy: y, r: 5, class: "dot" });
    case "timer":
    case "timeout":
    case "refused":
      return svgNode("path", { d: `M${x} ${y - 6}l6 6l-6 6l-6-6z`, class: step.event === "timer" ? "dot" : "ring-dot" });
    case "commit":
      return svgNode("rect", { x: x - 5, y: y - 5, width: 10, height: 10, class: "dot" });
    case "crash":
    case "wipe":
    case "running":
      return svgNode("path", { d: `M${x - 6} ${y - 6}l12 12m0-12l-12 12`, class: "fault", "stroke-width": 3 });
    case "client":
    case "console":
    case "told":
    case "answer":
      return svgNode("path", { d: `M${x - 6} ${y}h12M${x} ${y - 6}v12`, class: "dot", "stroke-width": 3 });
    default:
      return svgNode("rect", { x: x - 5, y: y - 2, width: 10, height: 4, class: FAULTS.has(step.event) ? "fault" : "ring-dot" });
  }
}

// The nodes in a circle, the links between them, and the messages on their way.
import { svgNode } from "/drawing/dom.js";

const [WIDTH, HEIGHT] = [640, 400];
const TRAVEL_MS = 450; // Of a message on the screen; the real ones take a millisecond or so.
const MOST_FLYING = 160; // Beyond, one stands for more.
const HOST_RADIUS = 26;

// Types of messages by what they are for: a shape, and a colour that is told apart by everyone.
export const FAMILIES = [
  { name: "gossip", shape: "circle", colour: "#0072b2", types: ["Gossip", "Ping"] },
  { name: "clients' writes and reads", shape: "square", colour: "#e69f00", types: ["Coordinate", "Write", "Read"] },
  { name: "states of keys", shape: "triangle", colour: "#009e73", types: ["Update", "AskTransfer", "SentAll"] },
  { name: "hints", shape: "diamond", colour: "#cc79a7", types: ["StoreHints"] },
  { name: "Merkle trees", shape: "star", colour: "#56b4e9", types: ["CompareRoots", "AskNodes", "AskCopies"] },
  { name: "others", shape: "cross", colour: "#888888", types: [] },
];
const familyOf = (type) => FAMILIES.find((family) => family.types.includes(type)) ?? FAMILIES.at(-1);

export function drawShape(context, shape, x, y, r) {
  context.beginPath();
  if (shape === "circle") context.arc(x, y, r, 0, 7);
  else if (shape === "square") context.rect(x - r, y - r, 2 * r, 2 * r);
  else {
    const points = { triangle: 3, diamond: 4, star: 10, cross: 8 }[shape];
    for (let i = 0; i < points; i += 1) {
      const inner = (shape === "star" || shape === "cross") && i % 2 ? 0.45 : 1.25;
      const angle = (2 * Math.PI * i) / points - Math.PI / 2;
      context.lineTo(x + r * inner * Math.cos(angle), y + r * inner * Math.sin(angle));
    }
    context.closePath();
  }
  context.fill();
}

export class Stage {
  // `onPair(from, to)`: the reader wants to do something between the two.
  constructor(root, names, colours, onPair) {
    Object.assign(this, { names, colours, onPair, flying: [], picked: null });
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.svg = svgNode("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": "The nodes" });
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.links = svgNode("g");
    this.rubber = svgNode("line", { class: "rubber", visibility: "hidden" });
    this.hosts = new Map(names.map((name) => [name, this.#host(name)]));
    this.svg.append(this.links, this.rubber, ...this.hosts.values());
    root.replaceChildren(this.canvas, this.svg); // Messages pass below the nodes.
    this.svg.addEventListener("pointermove", (event) => this.#stretch(event));
    this.svg.addEventListener("pointerup", (event) => this.#drop(event));
    this.svg.addEventListener("keydown", (event) => event.key === "Escape" && this.#pick(null));
    this.showLinks([], []);
    this.frame = this.frame.bind(this);
    requestAnimationFrame(this.frame);
  }

  place(name) {
    const angle = (2 * Math.PI * this.names.indexOf(name)) / this.names.length - Math.PI / 2;
    return [WIDTH / 2 + (WIDTH / 2 - 70) * Math.cos(angle), HEIGHT / 2 + (HEIGHT / 2 - 52) * Math.sin(angle)];
  }

  #host(name) {
    const [x, y] = this.place(name);
    const group = svgNode("g", { class: "host", tabindex: 0, role: "button", "data-host": name, "aria-pressed": "false" });
    group.append(
      svgNode("circle", { cx: x, cy: y, r: HOST_RADIUS, fill: this.colours.get(name) }),
      svgNode("text", { x, y: y + 5 }, name),
      svgNode("text", { x, y: y + HOST_RADIUS + 14, class: "is" }, ""),
    );
    group.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      group.focus();
      if (this.picked && this.picked !== name) return this.#pair(name);
      this.#pick(name);
    });
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      if (this.picked && this.picked !== name) this.#pair(name);
      else this.#pick(this.picked === name ? null : name);
    });
    return group;
  }

  #pick(name) {
    this.picked = name;
    this.rubber.setAttribute("visibility", "hidden");
    for (const [other, group] of this.hosts) {
      group.classList.toggle("picked", other === name);
      group.setAttribute("aria-pressed", String(other === name));
    }
  }

  #pair(to) {
    const from = this.picked;
    this.#pick(null);
    this.onPair(from, to);
  }

  #stretch(event) {
    if (!this.picked || event.buttons === 0) return;
    const [x1, y1] = this.place(this.picked);
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    for (const [name, value] of Object.entries({ x1, y1, x2: at.x, y2: at.y, visibility: "visible" })) this.rubber.setAttribute(name, value);
  }

  #drop(event) {
    const host = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-host]")?.dataset.host;
    this.rubber.setAttribute("visibility", "hidden");
    if (this.picked && host && host !== this.picked) this.#pair(host);
  }

  // `rows`: as "nodes" tells them.
  showNodes(rows) {
    for (const row of rows) {
      const group = this.hosts.get(row.name);
      const is = row.silent ? "silent" : row.state === "running" && !row.member ? "no member" : row.state === "running" ? "" : row.state;
      const kept = row.hints ? `${row.hints} ${row.hints === 1 ? "hint" : "hints"}` : "";
      group.setAttribute("class", `host ${row.state === "down" ? "down" : row.state === "paused" ? "paused" : row.member ? "" : "absent"}${this.picked === row.name ? " picked" : ""}`);
      group.querySelector(".is").textContent = [is, kept].filter(Boolean).join(", ");
      const suspects = row.suspects?.length ? `, suspects ${row.suspects.join(", ")}` : "";
      group.setAttribute("aria-label", `${row.name}: ${is || "runs"}${kept ? `, keeps ${kept}` : ""}${suspects}. Enter: pick it as an end of a link`);
    }
  }

  showLinks(cuts, models) {
    const cut = new Set(cuts.map((pair) => pair.join(" ")));
    const slow = new Map(models.map(([from, to, model]) => [`${from} ${to}`, model]));
    const drawn = this.names.flatMap((one, i) => this.names.slice(i + 1).flatMap((other) => this.#link(one, other, cut, slow)));
    this.links.replaceChildren(...drawn);
  }

  #link(one, other, cut, slow) {
    const [[x1, y1], [x2, y2]] = [this.place(one), this.place(other)];
    const ways = [`${one} ${other}`, `${other} ${one}`];
    const cuts = ways.filter((way) => cut.has(way));
    const slowed = ways.filter((way) => slow.has(way));
    const model = slow.get(slowed[0]);
    const kind = cuts.length ? "cut" : model ? "slow" : "";
    const parts = [svgNode("line", { x1, y1, x2, y2, class: `link ${kind}` })];
    const words = cuts.length === 2 ? "✂" : cuts.length === 1 ? `✂ ${cuts[0].replace(" ", " → ")}` : model ? `${slowed.length === 1 ? `${slowed[0].replace(" ", " → ")}: ` : ""}${linkWords(model)}` : "";
    if (words) parts.push(svgNode("text", { x: x1 + (x2 - x1) * 0.5, y: y1 + (y2 - y1) * 0.5 + 4, class: "link-name" }, words));
    return parts;
  }

  // `flows`: [[from, to, type, reply, event, count]]. What is received has been sent before: only sends fly.
  fly(flows) {
    const now = performance.now();
    const lost = new Map(flows.filter(([, , , , event]) => event === "drop").map(([from, to, type, reply, , count]) => [`${from} ${to} ${type} ${reply}`, count]));
    for (const [from, to, type, reply, event, count] of flows) {
      if (event !== "send" || this.flying.length > MOST_FLYING) continue;
      const drops = Math.min(count, lost.get(`${from} ${to} ${type} ${reply}`) ?? 0);
      if (count > drops) this.flying.push({ from, to, family: familyOf(type), count: count - drops, began: now, lost: false });
      if (drops) this.flying.push({ from, to, family: familyOf(type), count: drops, began: now, lost: true });
    }
  }

  frame() {
    requestAnimationFrame(this.frame);
    const now = performance.now();
    if (this.flying.length === 0 && this.empty) return;
    const scale = this.canvas.clientWidth / WIDTH;
    const sharp = devicePixelRatio || 1;
    const [width, height] = [Math.round(WIDTH * scale * sharp), Math.round(HEIGHT * scale * sharp)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.setTransform(scale * sharp, 0, 0, scale * sharp, 0, 0);
    context.clearRect(0, 0, WIDTH, HEIGHT);
    this.flying = this.flying.filter(({ began }) => now - began < TRAVEL_MS);
    this.empty = this.flying.length === 0;
    for (const message of this.flying) this.#drawMessage(context, message, (now - message.began) / TRAVEL_MS);
  }

  #drawMessage(context, { from, to, family, count, lost }, along) {
    if (!this.hosts.has(from) || !this.hosts.has(to)) return;
    const [[x1, y1], [x2, y2]] = [this.place(from), this.place(to)];
    // Those of the two directions keep to their sides.
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [dx, dy] = [(-(y2 - y1) / length) * 5, ((x2 - x1) / length) * 5];
    const share = this.still.matches ? 0.35 : lost ? Math.min(along, 0.5) : along;
    const [x, y] = [x1 + (x2 - x1) * share + dx, y1 + (y2 - y1) * share + dy];
    context.fillStyle = family.colour;
    context.globalAlpha = lost && along > 0.5 ? Math.max(0, 2 - 2 * along) : 1;
    drawShape(context, family.shape, x, y, Math.min(9, 3.5 + Math.sqrt(count)));
    if (lost && along > 0.4) {
      context.strokeStyle = "#d55e00";
      context.lineWidth = 3;
      context.beginPath();
      context.moveTo(x - 8, y - 8);
      context.lineTo(x + 8, y + 8);
      context.moveTo(x + 8, y - 8);
      context.lineTo(x - 8, y + 8);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

export const linkWords = ({ delay_ms: delay, loss_percent: loss }) => [delay ? `${delay} ms` : "", loss ? `${loss} % lost` : ""].filter(Boolean).join(", ") || "changed";

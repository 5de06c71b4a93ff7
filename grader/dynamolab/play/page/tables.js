// The tables that one acts with: nodes and links. A control stays the same element, so that it keeps the focus.
import { byName, element } from "/drawing/dom.js";
import { linkWords } from "./stage.js";

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const MOST_HINTS = 2; // Told by their keys; more are counted, by whom they are for.

// Without a message that names an owner, the keeper took the write itself, and owes all owners.
function hintWords(kept) {
  const hints = kept.map(({ key, owner }) => ({ key, owner: owner || "its owners" }));
  if (hints.length <= MOST_HINTS) return hints.map(({ key, owner }) => `${key} for ${owner}`).join(", ");
  const counts = new Map();
  for (const { owner } of hints) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => byName(a, b)).map(([owner, count]) => `${count} for ${owner}`).join(", ");
}

export class NodesTable {
  // `act(question)`: asks the harness. `clock(name)`: the reader wants to set a clock.
  constructor(table, names, colours, act, clock) {
    this.rows = new Map(names.map((name) => [name, this.#row(name, colours, act, clock)]));
    table.tBodies[0].replaceChildren(...[...this.rows.values()].map(({ row }) => row));
  }

  #row(name, colours, act, clock) {
    const cells = Object.fromEntries(["is", "members", "suspects", "hints", "rate", "controls"].map((id) => [id, element("td")]));
    const patch = element("span", { className: "patch" });
    patch.style.background = colours.get(name);
    const buttons = {};
    const button = (id, label, press) => {
      buttons[id] = element("button", { type: "button", onclick: press, ariaLabel: `${label} ${name}` }, label);
      cells.controls.append(buttons[id], " ");
    };
    for (const [id, label] of [["kill", "Kill"], ["pause", "Pause"], ["resume", "Resume"], ["restart", "Restart"], ["wipe", "Wipe disk"]]) {
      button(id, label, () => act({ act: id, node: name }));
    }
    button("add", "Add", () => act({ act: "add", node: name }));
    button("remove", "Remove", () => act({ act: "remove", node: name }));
    button("clock", "Clock …", () => clock(name));
    const row = element("tr", {}, element("th", { scope: "row" }, patch, name), ...Object.values(cells));
    return { row, cells, buttons };
  }

  show(nodes, live) {
    const members = new Set(nodes.flatMap((node) => (node.member ? node.members : [])));
    for (const node of nodes) {
      const { cells, buttons } = this.rows.get(node.name);
      const runs = node.state === "running";
      const skew = node.skew_ms ? `, clock ${node.skew_ms > 0 ? "+" : ""}${node.skew_ms} ms` : "";
      setText(cells.is, `${node.silent ? "running, but silent" : node.state}${runs && node.member === false ? ", no member" : ""}${skew}`);
      setText(cells.members, node.members ? [...node.members].sort(byName).join(" ") || "nobody" : "–");
      setText(cells.suspects, [...(node.suspects ?? [])].sort(byName).join(" ") || "–");
      setText(cells.hints, node.hints ? `${node.hints}: ${hintWords(node.kept ?? [])}` : "–");
      const can = {
        kill: node.state !== "down",
        pause: runs,
        resume: node.state === "paused",
        restart: node.state === "down",
        wipe: node.state === "down",
        add: !members.has(node.name),
        remove: members.has(node.name),
        clock: runs,
      };
      const focused = Object.values(buttons).find((button) => button === document.activeElement);
      for (const [id, button] of Object.entries(buttons)) {
        button.disabled = !live || !can[id];
        button.hidden = !can[id];
      }
      // The one that was pressed may be gone: its place is taken by another of the node's.
      if (focused?.hidden) Object.values(buttons).find((button) => !button.hidden && !button.disabled)?.focus();
    }
  }

  showRates(rates) {
    for (const [name, { cells }] of this.rows) setText(cells.rate, String(Math.round(rates.get(name) ?? 0)));
  }
}

export class LinksTable {
  constructor(table, names, onPair) {
    this.buttons = new Map();
    const head = element("tr", {}, element("td", {}, "from \\ to"), ...names.map((name) => element("th", { scope: "col" }, name)));
    const rows = names.map((from) =>
      element("tr", {}, element("th", { scope: "row" }, from), ...names.map((to) => {
        if (from === to) return element("td", {}, "–");
        const button = element("button", { type: "button", onclick: () => onPair(from, to) });
        this.buttons.set(`${from} ${to}`, button);
        return element("td", {}, button);
      })));
    table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
    this.show([], []);
  }

  show(cuts, models) {
    const cut = new Set(cuts.map((pair) => pair.join(" ")));
    const slow = new Map(models.map(([from, to, model]) => [`${from} ${to}`, linkWords(model)]));
    for (const [way, button] of this.buttons) {
      const words = [cut.has(way) ? "cut" : "", slow.get(way) ?? ""].filter(Boolean).join(", ") || "ok";
      setText(button, words);
      button.className = cut.has(way) ? "cut" : slow.has(way) ? "slow" : "";
      button.setAttribute("aria-label", `${way.replace(" ", " to ")}: ${words}`);
    }
  }
}

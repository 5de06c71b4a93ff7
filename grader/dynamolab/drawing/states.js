// What each node holds after a step: what lay on its disk at its start, and what its commits wrote.

export class States {
  static EVERY = 200; // Between two checkpoints; a jump replays at most so many steps.

  constructor(lanes, steps) {
    this.lanes = lanes;
    this.steps = steps;
    this.checkpoints = [this.#empty()];
  }

  #empty() {
    return Object.fromEntries(this.lanes.map((name) => [name, { life: "not started", disk: {} }]));
  }

  // The nodes after `index`, and which of their entries that step changed: "space\nkey".
  after(index) {
    let at = Math.min(Math.floor(index / States.EVERY), this.checkpoints.length - 1);
    let nodes = structuredClone(this.checkpoints[at]);
    let changed = new Set();
    for (let i = at * States.EVERY; i <= index; i += 1) {
      if (i === this.checkpoints.length * States.EVERY) this.checkpoints.push(structuredClone(nodes));
      changed = this.#apply(nodes, this.steps[i]);
    }
    return { nodes, changed };
  }

  #apply(nodes, step) {
    const changed = new Set();
    const node = nodes[step.node];
    if (!node) return changed;
    const lives = { start: "runs", restart: "runs", crash: "down", pause: "paused", resume: "runs" };
    if (lives[step.event] && node.life !== lives[step.event]) {
      node.life = lives[step.event];
      changed.add("life");
    }
    if (step.event === "wipe") {
      node.disk = {};
      node.life = "down, its disk is lost";
      changed.add("life");
    }
    if (step.event === "disk_full" || step.event === "disk_freed") {
      node.full = step.event === "disk_full";
      changed.add("life");
    }
    if (["start", "commit"].includes(step.event) && step.data && typeof step.data === "object") {
      for (const [space, entries] of Object.entries(step.data)) {
        node.disk[space] ??= {};
        for (const [key, value] of Object.entries(entries)) {
          changed.add(`${space}\n${key}`);
          if (value === null) delete node.disk[space][key];
          else node.disk[space][key] = value;
        }
      }
    }
    return changed;
  }
}

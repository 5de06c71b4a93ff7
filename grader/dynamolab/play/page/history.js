// What was heard, so that one can look back: the last message of each kind at any moment.

const STATES = ["hello", "nodes", "links", "rings", "key", "trees", "load", "script", "trouble", "step"];
const MOST_OF_A_KIND = 1000; // Then the older half goes; the demonstration's steps keep what they showed.
const FLOWS_SHOWN_MS = 700; // Messages up to so long before a moment are shown with it.

export class History {
  // `most`: of each kind; a recording is kept whole.
  constructor(most = MOST_OF_A_KIND) {
    this.most = most;
    this.kinds = new Map(STATES.map((kind) => [kind, []]));
    this.flows = [];
    this.steps = []; // Of a demonstration: [{t, state}], what was to be seen at the end of each.
    this.last = 0;
  }

  isState(kind) {
    return this.kinds.has(kind);
  }

  add(message) {
    this.last = Math.max(this.last, message.t);
    if (message.kind === "script" && !message.busy) this.steps[message.step] = null; // Kept when the next one begins.
    if (message.kind === "script" && message.busy && message.step > 0) this.keep(message.step - 1, message.t - 1);
    const list = message.kind === "flows" ? this.flows : this.kinds.get(message.kind);
    if (!list || list.at(-1)?.t > message.t) return; // A stream that came anew begins with what is known.
    list.push(message);
    if (list.length > this.most) list.splice(0, this.most / 2);
  }

  keep(step, t) {
    this.steps[step] = { t, state: this.at(t) };
  }

  // Kind → message.
  at(t) {
    return new Map([...this.kinds].flatMap(([kind, list]) => {
      const index = before(list, t);
      return index < 0 ? [] : [[kind, list[index]]];
    }));
  }

  flowsAt(t) {
    const end = before(this.flows, t);
    const begin = before(this.flows, t - FLOWS_SHOWN_MS);
    return this.flows.slice(begin + 1, end + 1);
  }
}

// The index of the last message at or before `t`; -1 if there is none.
function before(list, t) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].t <= t) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

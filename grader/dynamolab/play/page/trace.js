// The space-time diagram of the last steps: of now, or by a moment of a recording.
import { SpaceTime } from "/drawing/spacetime.js";

const byId = (id) => document.getElementById(id);
const MOST_STEPS = 300;

export class TracePanel {
  constructor() {
    this.drawn = null; // The moment of a recording that is drawn.
  }

  // `moment`: of a recording; null: now. Nothing is done for a panel that is closed or held still.
  async draw(moment) {
    if (!byId("spacetime-details").open || byId("hold").checked || (moment !== null && moment === this.drawn)) return;
    let trace;
    try {
      trace = await (await fetch(`/trace?most=${MOST_STEPS}${moment === null ? "" : `&until=${moment}`}`)).json();
    } catch {
      return; // The harness is gone, which the page says.
    }
    this.drawn = moment;
    const diagram = new SpaceTime(trace.lanes, trace.steps, trace.arrows);
    diagram.show(trace.steps.map((_, i) => i));
    byId("tall").style.height = `${diagram.height}px`;
    byId("tall").style.width = `${diagram.width}px`;
    [...byId("lanes").children].forEach((label, i) => {
      label.style.left = `${diagram.x(trace.lanes[i])}px`;
    });
    byId("scroll").scrollTop = diagram.height;
    byId("scroll").onscroll = () => {
      byId("lanes").scrollLeft = byId("scroll").scrollLeft;
      requestAnimationFrame(() => diagram.draw(byId("svg"), byId("scroll"), null));
    };
    diagram.draw(byId("svg"), byId("scroll"), null);
  }
}

// Elements, and the colours of nodes.

// `properties` as on the element itself; children are nodes or text, which stays text.
export function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

export function svgNode(name, attributes = {}, text = undefined) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

export const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

// n2 before n10.
export const byName = (a, b) => a.localeCompare(b, "en", { numeric: true });

// Told apart by readers who are blind to colours, too (after Okabe and Ito, and Tol); a name stands beside each.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a000", "#882255", "#7f7fd5", "#6b8e23"];

// Host → colour: the same host has the same one wherever it is drawn on a page.
export function coloursOf(hosts) {
  return new Map([...hosts].sort(byName).map((host, i) => [host, COLOURS[i % COLOURS.length]]));
}

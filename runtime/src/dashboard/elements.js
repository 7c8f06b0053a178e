// Elements as data, which are compared with those that are there: focus, selection and scrolling stay. Text is set as text,
// never as markup.
const h = (tag, attributes, ...children) => ({
  tag,
  attributes: attributes ?? {},
  children: children.flat(3).filter((it) => it !== null && it !== undefined && it !== false).map((it) => (typeof it === "object" ? it : String(it))),
});

function make(item, within) {
  if (typeof item === "string") return document.createTextNode(item);
  const namespace = item.tag === "svg" ? "http://www.w3.org/2000/svg" : within.namespaceURI;
  const element = document.createElementNS(namespace, item.tag);
  fit(element, item);
  return element;
}

function fit(element, { attributes, children }) {
  for (const { name } of [...element.attributes]) if (!(name in attributes)) element.removeAttribute(name);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
  }
  fill(element, children);
}

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);

function fill(parent, children) {
  const byKey = new Map([...parent.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  let next = parent.firstChild;
  for (const item of children) {
    const key = typeof item === "object" ? item.attributes["data-key"] : null;
    let node = key ? byKey.get(String(key)) : next;
    if (node && !key && keyOf(node)) node = null;
    const is = typeof item === "string" ? node?.nodeType === 3 : node?.localName === item.tag;
    if (!is) node = make(item, parent);
    else if (typeof item === "string") { if (node.data !== item) node.data = item; }
    else fit(node, item);
    if (node !== next) parent.insertBefore(node, next);
    next = node.nextSibling;
  }
  while (next) {
    const after = next.nextSibling;
    next.remove();
    next = after;
  }
}

const table = (attributes, head, rows, name) =>
  h("div", { class: "scroll", role: "region", "aria-label": name, tabindex: 0 },
    h("table", { role: "table", "aria-label": name, ...attributes },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
      h("tbody", { role: "rowgroup" }, rows)));
const column = (text, attributes) => h("th", { role: "columnheader", scope: "col", ...attributes }, text);
const cell = (label, attributes, ...children) => h("td", { role: "cell", "data-label": label, ...attributes }, children);

// Stacked bars, one for each slot; each part is [class, number].
function bars(slots, label, height = 28, width = 6) {
  const most = Math.max(...slots.map((parts) => sum(parts.map(([, value]) => value))), 1);
  const rects = slots.flatMap((parts, at) => {
    let y = height;
    return parts.filter(([, value]) => value > 0).map(([name, value]) => {
      const size = (value / most) * (height - 2);
      y -= size;
      return h("rect", { class: name, x: at * width, y: y.toFixed(1), width: width - 1, height: size.toFixed(1) });
    });
  });
  return h("svg", { class: "bars", role: "img", "aria-label": label, viewBox: `0 0 ${slots.length * width} ${height}`, preserveAspectRatio: "none" },
    rects, h("line", { class: "ground", x1: 0, x2: slots.length * width, y1: height - 0.25, y2: height - 0.25 }));
}

// Lines over the slots, where a slot may have no value; each is [class, numbers].
function lines(all, most, label, height = 60, width = 12) {
  const paths = all.map(([name, values]) => {
    let pen = "M";
    const parts = values.map((value, at) => {
      if (value === null) { pen = "M"; return ""; }
      const y = height - 3 - (value / most) * (height - 6);
      const part = `${pen}${at * width + width / 2} ${y.toFixed(1)}h0.01`;
      pen = "L";
      return part;
    });
    return h("path", { class: name, d: parts.join(""), "vector-effect": "non-scaling-stroke" });
  });
  return h("svg", { class: "lines", role: "img", "aria-label": label, viewBox: `0 0 ${SLOTS * width} ${height}`, preserveAspectRatio: "none" },
    h("line", { class: "ground", x1: 0, x2: SLOTS * width, y1: height - 0.5, y2: height - 0.5 }), paths);
}

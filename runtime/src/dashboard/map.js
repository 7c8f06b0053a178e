// Who invalidates what: mutations at the left, functions at the right. Many of them are shown as their modules first; a
// choice leaves only its neighbours.
const MANY = 40;
const ROW = 30;
let chosen = null;
let within = null;

function edges(catalogue) {
  const all = new Map();
  for (const it of catalogue.functions) {
    for (const { mutation, tag, certainty, effect } of it.invalidated_by) {
      all.set(`${mutation} ${it.name}`, { from: mutation, to: it.name, soft: certainty === "possible", tag, effect });
    }
  }
  return [...all.values()];
}

// Each side in the order of the middles of what it is joined to, a few times over; modules stay together in the beginning.
function arranged(joined) {
  let left = [...new Set(joined.map((it) => it.from))].sort();
  let right = [...new Set(joined.map((it) => it.to))].sort();
  const by = (names, other, near, far) => {
    const place = new Map(other.map((name, at) => [name, at]));
    const middle = new Map(names.map((name) => {
      const places = joined.filter((it) => it[near] === name).map((it) => place.get(it[far]));
      return [name, sum(places) / places.length];
    }));
    return [...names].sort((a, b) => middle.get(a) - middle.get(b));
  };
  for (let round = 0; round < 4; round += 1) {
    right = by(right, left, "to", "from");
    left = by(left, right, "from", "to");
  }
  return { left, right };
}

function mapPart(all) {
  const title = h("h2", { id: "map-title" }, "Who invalidates what");
  const joined = all.catalogue ? edges(all.catalogue) : [];
  const alone = (all.catalogue?.functions ?? []).filter((it) => !it.invalidated_by.length).length;
  const note = alone ? `${alone} more ${alone === 1 ? "function ends its values" : "functions end their values"} by lifetime only. ` : "";
  if (!joined.length) return h("section", { id: "map", "aria-labelledby": "map-title" }, title, h("p", { class: "dim" }, `No mutation invalidates a function. ${note}`));
  const isMany = new Set(joined.flatMap((it) => [`<${it.from}`, `>${it.to}`])).size > MANY;
  const modules = isMany && !within;
  let drawn = joined.filter((it) => !within || module(it.from) === within || module(it.to) === within);
  if (modules) {
    const pairs = new Map();
    for (const it of joined) {
      const [from, to] = [module(it.from), module(it.to)];
      pairs.set(`${from} ${to}`, { from, to, soft: false, count: (pairs.get(`${from} ${to}`)?.count ?? 0) + 1 });
    }
    drawn = [...pairs.values()];
  }
  if (chosen) drawn = drawn.filter((it) => it[chosen.side] === chosen.name);
  const { left, right } = arranged(drawn);
  const height = Math.max(left.length, right.length) * ROW;
  // The shorter side stands in the middle of the longer one.
  const top = (side) => (height - side.length * ROW) / 2;
  const at = (side, name) => top(side) + (side.indexOf(name) + 0.5) * ROW;
  const node = (side, names, verb, far) => h("ul", { class: side, "aria-label": side === "from" ? "Mutations" : "Functions" }, names.map((name) => {
    const others = drawn.filter((it) => it[side] === name).map((it) => (modules ? it[far] : short(it[far])));
    return h("li", { "data-key": name }, h("button", {
      "data-side": side, "data-name": name, "data-module": modules, "aria-pressed": String(chosen?.name === name && chosen.side === side),
      "aria-label": `${modules ? name : short(name)}, ${verb} ${others.join(", ")}`, title: name,
    }, modules ? name : [h("span", { class: "module" }, `${last(module(name))}::`), last(name)]));
  }));
  const curve = ({ from, to, soft, tag }) => h("path", {
    class: soft || tag ? "soft" : null, d: `M0 ${at(left, from)}C45 ${at(left, from)} 55 ${at(right, to)} 100 ${at(right, to)}`, "vector-effect": "non-scaling-stroke",
  });
  const hint = modules ? "Choose a module to see its functions." : "Choose a mutation or a function to see what it is joined to.";
  return h("section", { id: "map", "aria-labelledby": "map-title" }, title,
    h("p", { class: "dim" }, within ? `${within}: ` : "", hint, " Dashed: by a tag, or one of several methods. ", note,
      chosen || within ? h("button", { class: "plain", "data-back": true }, "Show all (Escape)") : null),
    h("div", { class: "map" },
      node("from", left, "invalidates", "to"),
      h("svg", { "aria-hidden": "true", viewBox: `0 0 100 ${height}`, height, preserveAspectRatio: "none" }, drawn.map(curve)),
      node("to", right, "invalidated by", "from")));
}

function choose({ side, name, module: isModule }) {
  if (isModule !== undefined) [within, chosen] = [name, null];
  else chosen = chosen?.name === name && chosen.side === side ? null : { side, name };
}

function back() {
  if (chosen) chosen = null;
  else within = null;
}

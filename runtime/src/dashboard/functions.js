// The table of cached functions: one row for each prefix, since those who share one share its counters.
const FIRST = 12;
const opened = new Set();
const every = { functions: false, limits: false };
let wanted = "";
let order = [];

function functionRows(all) {
  const rows = new Map();
  const row = (prefix) => {
    if (!rows.has(prefix)) rows.set(prefix, { prefix, functions: [] });
    return rows.get(prefix);
  };
  for (const it of all.catalogue?.functions ?? []) row(it.prefix).functions.push(it);
  for (const slot of all.slots.flat()) for (const prefix of Object.keys(slot.prefixes)) row(prefix);
  for (const it of rows.values()) {
    it.slots = all.slots.map((parts) => total(parts.map((part) => part.prefixes[it.prefix]).filter(Boolean)));
    it.sums = total(it.slots.map(({ took, ...rest }) => ({ ...rest, took: [...took] })));
    it.cost = (it.sums.load_us ?? 0) / all.minutes;
    it.name = it.functions.length ? it.functions.map((one) => short(one.name)).join(", ") : it.prefix || "keys by hand";
    it.pinned = all.pinned.has(it.prefix);
  }
  return [...rows.values()].sort((a, b) => b.pinned - a.pinned || b.cost - a.cost || calls(b.sums) - calls(a.sums) || (a.name < b.name ? -1 : 1));
}

// Rows do not move under a pointer or a finger, nor away from the keyboard.
function settled(rows, id) {
  if (!document.querySelector(`#${id}:hover, #${id}:focus-within`)) return (order = rows.map((it) => it.prefix)), rows;
  const place = new Map(order.map((prefix, at) => [prefix, at]));
  return [...rows].sort((a, b) => (place.get(a.prefix) ?? Infinity) - (place.get(b.prefix) ?? Infinity));
}

function matches(row) {
  const texts = [row.prefix, row.name, ...row.functions.flatMap((it) => [it.name, it.place.file, ...it.invalidated_by.map((edge) => edge.mutation)])];
  return wanted.toLowerCase().split(" ").every((word) => texts.some((text) => text.toLowerCase().includes(word)));
}

function enders(row) {
  const names = [...new Set(row.functions.flatMap((it) => it.invalidated_by.map((edge) => last(edge.mutation))))];
  if (!row.functions.length) return h("span", { class: "dim" }, "–");
  if (!names.length) return h("span", { class: "dim" }, "lifetime only");
  return names.length > 2 ? `${names[0]} and ${names.length - 1} more` : names.join(", ");
}

function functionRow(row, all) {
  const { sums, slots } = row;
  const parts = slots.map((it) => [["local", it.local ?? 0], ["kept", kept(it)], ["stale", it.stale ?? 0], ["miss", missed(it)]]);
  const open = opened.has(row.prefix);
  const id = `of-${encodeURIComponent(row.prefix)}`;
  const ttls = [...new Set(row.functions.map((it) => it.ttl))].join(", ");
  const [one, ...others] = row.functions;
  const label = `${row.name}: ${number(calls(sums))} calls in five minutes, ${percent(hits(sums), calls(sums))} hits`;
  const main = h("tr", { role: "row", "data-key": `row ${row.prefix}`, class: row.pinned ? "pinned" : null },
    cell("Function", { class: "name" },
      h("button", { "data-open": row.prefix, "aria-expanded": String(open), "aria-controls": id },
        h("span", { class: "title" }, one ? short(one.name) : row.name, others.length ? h("span", { class: "dim" }, ` and ${others.length} more`) : null),
        h("code", null, one ? `${row.prefix}${one.template ? `:${one.template}` : ""}` : row.prefix))),
    cell("Last 5 min", { class: "chart" }, bars(parts, label)),
    cell("Calls/min", { class: "number" }, rate(calls(sums) / all.minutes)),
    cell("Hits", { class: "number" }, percent(hits(sums), calls(sums))),
    cell("In bodies", { class: "number wide" }, `${seconds(row.cost)}/min`),
    cell("Body p50 · p99", { class: "number wide" }, sums.took.size ? `${took(quantile(sums.took, 0.5))} · ${took(quantile(sums.took, 0.99))}` : "–"),
    cell("Lifetime", { class: "wide" }, ttls || "–"),
    cell("Invalidated by", { class: "wide" }, enders(row)));
  return open ? [main, h("tr", { role: "row", "data-key": `details ${row.prefix}`, class: "details", id }, h("td", { role: "cell", colspan: 8 }, details(row)))] : [main];
}

const fact = (name, ...value) => (value.flat().some(Boolean) ? h("div", null, h("dt", null, name), h("dd", null, value)) : null);
const legend = (...parts) => h("p", { class: "legend" }, parts.map(([name, text]) => h("span", null, h("i", { class: name, "aria-hidden": "true" }), text)));

function details(row) {
  const { sums, slots } = row;
  const part = (of) => slots.map((it) => (calls(it) ? of(it) / calls(it) : null));
  const times = (rank) => slots.map((it) => quantile(it.took, rank));
  const slowest = Math.max(...times(0.99).map((it) => it ?? 0), 1);
  const counts = [[sums.hits, "hit", "hits"], [sums.local, "in this process"], [sums.stale, "old value", "old values"], [sums.shared, "shared"],
    [sums.misses, "miss", "misses"], [sums.bypassed, "without the cache"], [sums.loads, "body", "bodies"],
    [sums.load_errors, "body failed", "bodies failed"], [sums.unreadable, "not readable"], [sums.unstorable, "not storable"],
    [sums.late, "invalidated meanwhile"], [sums.failures, "failure", "failures"], [sums.invalidations, "invalidation", "invalidations"],
    [sums.commands, "command", "commands"]];
  return [
    h("div", { class: "charts" },
      h("figure", null, h("figcaption", null, "Calls by what they found, each of 100 %"),
        lines([["local", part((it) => it.local ?? 0)], ["kept", part(kept)], ["stale", part((it) => it.stale ?? 0)], ["miss", part(missed)]], 1,
          `Of the calls, ${percent(sums.local ?? 0, calls(sums))} local, ${percent(kept(sums), calls(sums))} from the store, ${percent(sums.stale ?? 0, calls(sums))} old, ${percent(missed(sums), calls(sums))} missed`)),
      h("figure", null, h("figcaption", null, `Bodies: p50 and p99, up to ${took(slowest)}`),
        lines([["median", times(0.5)], ["slow", times(0.99)]], slowest, `Half of the bodies take at most ${took(quantile(sums.took, 0.5))}, 99 of 100 at most ${took(quantile(sums.took, 0.99))}`),
        legend(["median", "p50"], ["slow", "p99"]))),
    h("p", { class: "counts" }, "In five minutes: ", counts.filter(([value]) => value).map(([value, one, many = one]) => `${number(value)} ${value === 1 ? one : many}`).join(" · ") || "nothing"),
    row.functions.length > 1 ? h("p", { class: "dim" }, "These functions have one prefix, so the numbers are those of all of them.") : null,
    row.functions.map((it) => h("dl", { class: "facts of", "data-key": it.name },
      fact("Function", it.name),
      fact("Defined in", h("code", null, `${it.place.file}:${it.place.line}`)),
      fact("Key", h("code", null, `${it.prefix}${it.version === null ? "" : `@${it.version}`}${it.template ? `:${it.template}` : ""}`)),
      fact("Returns", h("code", null, it.returns)),
      fact("Lifetime", it.ttl),
      fact("Options", it.options.join(", ")),
      fact("Tags", it.tags.join(", ")),
      fact("Batch forms", it.batches.map(short).join(", ")),
      fact("Called with", it.instances.map((one) => (one.owner ? `${one.owner} → ${one.value}` : one.value)).join(", ")),
      fact("Invalidated by", it.invalidated_by.length ? it.invalidated_by.map((edge) => h("span", { class: "line" },
        `${short(edge.mutation)}${edge.certainty === "possible" ? " (one of several)" : ""}${edge.effect === "updates" ? " (stores what it returns)" : ""}${edge.tag ? `, by tag ${last(edge.tag)}` : ""} `,
        h("code", null, `${edge.place.file}:${edge.place.line}`))) : "nothing: values end with their lifetime"))),
  ];
}

function functionsPart(all) {
  const rows = settled(functionRows(all), "functions");
  const found = wanted ? rows.filter(matches) : rows;
  const shown = wanted || every.functions ? found : found.filter((it, at) => at < FIRST || it.pinned || opened.has(it.prefix));
  const head = [column("Function"), column("Last 5 minutes"), column("Calls/min", { class: "number" }), column("Hits", { class: "number" }),
    column("In bodies ▾", { class: "number", "aria-sort": "descending" }), column("Body p50 · p99", { class: "number" }), column("Lifetime"), column("Invalidated by")];
  return h("section", { id: "functions", "aria-labelledby": "functions-title" },
    h("h2", { id: "functions-title" }, "Cached functions"),
    h("div", { class: "bar" },
      h("label", { for: "filter" }, "Filter "),
      h("input", { id: "filter", type: "search", placeholder: "name, prefix, file  ( / )", autocomplete: "off", spellcheck: "false" }),
      legend(["local", "local"], ["kept", all.newest.embedded ? "embedded" : "store"], ["stale", "old value"], ["miss", "miss"]),
      h("span", { class: "dim" }, "15 s a bar")),
    rows.length ? table(null, head, shown.flatMap((row) => functionRow(row, all)), "Cached functions") : h("p", { class: "dim" }, "No function of this binary is cached."),
    h("p", { class: "dim", role: "status" }, wanted ? `${found.length} of ${rows.length} shown` : null),
    !wanted && rows.length > FIRST ? h("button", { class: "plain", "data-every": "functions" }, every.functions ? `Show the first ${FIRST}` : `Show all ${rows.length}`) : null);
}

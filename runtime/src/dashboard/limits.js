// The table of limits, by what they refuse.
function limitsPart(all) {
  const rows = new Map();
  const row = (kind) => {
    if (!rows.has(kind)) rows.set(kind, { kind, declared: [] });
    return rows.get(kind);
  };
  for (const it of all.catalogue?.limits ?? []) row(it.kind ?? `${it.name} ${it.rule}`).declared.push(it);
  for (const slot of all.slots.flat()) for (const kind of Object.keys(slot.kinds)) row(kind);
  for (const it of rows.values()) {
    it.slots = all.slots.map((parts) => total(parts.map((part) => part.kinds[it.kind]).filter(Boolean)));
    it.sums = total(it.slots.map(({ took, ...rest }) => rest));
  }
  const sorted = [...rows.values()].sort((a, b) => (b.sums.refused ?? 0) - (a.sums.refused ?? 0) || (b.sums.allowed ?? 0) - (a.sums.allowed ?? 0) || (a.kind < b.kind ? -1 : 1));
  const shown = every.limits ? sorted : sorted.slice(0, FIRST);
  const head = [column("Limit"), column("Last 5 minutes"), column("Rule"), column("Allowed/min", { class: "number" }),
    column("Refused/min ▾", { class: "number", "aria-sort": "descending" }), column("Without the store/min", { class: "number" })];
  return h("section", { id: "limits", "aria-labelledby": "limits-title" },
    h("h2", { id: "limits-title" }, "Limits"),
    h("div", { class: "bar" }, legend(["kept", "allowed"], ["miss", "refused"])),
    rows.size ? table(null, head, shown.map((it) => limitRow(it, all)), "Limits") : h("p", { class: "dim" }, "Nothing is limited."),
    rows.size > FIRST ? h("button", { class: "plain", "data-every": "limits" }, every.limits ? `Show the first ${FIRST}` : `Show all ${rows.size}`) : null);
}

function limitRow(row, all) {
  const { sums, slots, declared: [one] } = row;
  const parts = slots.map((it) => [["kept", it.allowed ?? 0], ["miss", it.refused ?? 0]]);
  // The name of a limit without a kind is made of its place and its numbers.
  const isPlace = one && (one.kind === null || one.kind.includes("."));
  const name = isPlace ? short(one.name) : row.kind || "others";
  const who = one ? `${isPlace ? "" : `${short(one.name)}, `}${one.caller ? `each ${one.caller}` : "everyone together"}` : "of a layer, or asked by hand";
  const perMinute = (value) => rate((value ?? 0) / all.minutes);
  return h("tr", { role: "row", "data-key": row.kind },
    cell("Limit", { class: "name" }, h("span", { class: "title" }, name), h("code", null, who)),
    cell("Last 5 min", { class: "chart" }, bars(parts, `${name}: ${number(sums.allowed ?? 0)} allowed, ${number(sums.refused ?? 0)} refused in five minutes`)),
    cell("Rule", { class: "wide" }, [...new Set(row.declared.map((it) => it.rule))].join("; ") || "–"),
    cell("Allowed/min", { class: "number" }, perMinute(sums.allowed)),
    cell("Refused/min", { class: sums.refused ? "number bad" : "number" }, perMinute(sums.refused)),
    cell("Without the store/min", { class: sums.degraded ? "number wide bad" : "number wide" }, perMinute(sums.degraded)));
}

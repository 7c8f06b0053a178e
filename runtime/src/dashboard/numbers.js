const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const short = (path) => path.split("::").slice(-2).join("::");
const last = (path) => path.split("::").pop();
const module = (path) => path.split("::").slice(0, -1).join("::");

// The sums of several objects that hold numbers, and `took`: how many took at most so many microseconds.
function total(parts) {
  const all = { took: new Map() };
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      if (name === "took") for (const [bound, count] of value) all.took.set(bound, (all.took.get(bound) ?? 0) + count);
      else all[name] = (all[name] ?? 0) + value;
    }
  }
  return all;
}

const kept = (it) => (it.hits ?? 0) + (it.shared ?? 0);
const missed = (it) => (it.misses ?? 0) + (it.bypassed ?? 0);
const hits = (it) => (it.local ?? 0) + kept(it) + (it.stale ?? 0);
const calls = (it) => hits(it) + missed(it);

function quantile(took, part) {
  const all = [...took].sort(([a], [b]) => (a ?? Infinity) - (b ?? Infinity));
  const rank = Math.max(Math.ceil(sum(all.map(([, count]) => count)) * part), 1);
  let seen = 0;
  for (const [bound, count] of all) if ((seen += count) >= rank) return bound ?? 67108864;
  return null;
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function number(value) {
  if (value >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  return grouped.format(value);
}

function rate(value) {
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : number(value);
}

function took(micros) {
  if (micros === null) return "–";
  const [value, unit] = micros < 1000 ? [micros, "µs"] : micros < 1e6 ? [micros / 1000, "ms"] : [micros / 1e6, "s"];
  return `${value < 10 ? value.toPrecision(2) : Math.round(value)} ${unit}`;
}

function seconds(micros) {
  const value = micros / 1e6;
  return value === 0 ? "0" : value < 0.05 ? "< 0.1 s" : value < 10 ? `${value.toFixed(1)} s` : `${number(value)} s`;
}

const percent = (part, of) => (of ? `${part === of ? 100 : Math.min(Math.round((100 * part) / of), 99)} %` : "–");

function lasting(ms) {
  const s = Math.max(Math.round(ms / 1000), 0);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}

function bytes(value) {
  if (value < 1024) return `${value} B`;
  const [size, unit] = value < 1048576 ? [value / 1024, "KiB"] : [value / 1048576, "MiB"];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

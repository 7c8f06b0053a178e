// What the processes of the service told. Behind a balancer each answer may be of another one.
const SLOT = 15000;
const SLOTS = 20;
const PAUSE = 2000;
// Milliseconds without an answer: the numbers are old; the process says nothing of now; it is not counted any more.
const OLD = 7000;
const RECENT = 20000;
const MINUTE = 60000;

const processes = new Map();
const catalogues = new Map();
let answered = null;
let failure = "";

function question() {
  const known = [...processes.values()].filter((it) => performance.now() - it.heard < MINUTE);
  // Everything, until each process that is known has answered that once, and for each catalogue that is another one.
  const isWhole = known.every((it) => it.whole && catalogues.has(it.data.catalogue_id));
  if (!isWhole || !known.length) return "?data";
  return `?data&since=${Math.min(...known.map((it) => it.slot))}`;
}

async function ask() {
  const answer = await fetch(question(), { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  take(await answer.json());
}

function take(data) {
  const known = processes.get(data.process) ?? { slots: new Map() };
  const whole = known.whole || Boolean(data.catalogue);
  const slot = Math.floor(data.now / SLOT);
  for (const window of data.windows) known.slots.set(window.number, window);
  for (const number of known.slots.keys()) {
    if (number <= slot - SLOTS || number > slot) known.slots.delete(number);
  }
  processes.set(data.process, { data, slot, slots: known.slots, whole, heard: performance.now() });
  if (data.catalogue) catalogues.set(data.catalogue_id, data.catalogue);
  answered = performance.now();
  for (const [name, it] of processes) {
    if (answered - it.heard > SLOT * SLOTS) processes.delete(name);
  }
  const used = new Set([...processes.values()].map((it) => it.data.catalogue_id));
  for (const id of catalogues.keys()) if (!used.has(id)) catalogues.delete(id);
}

// All of it as one: numbers are sums, and of what is told in words the worst counts.
function gathered() {
  const now = performance.now();
  const all = [...processes.values()];
  const live = all.filter((it) => now - it.heard < MINUTE);
  const recent = live.filter((it) => now - it.heard < RECENT);
  const newest = all.reduce((a, b) => (b.heard > a.heard ? b : a));
  const rank = { good: 0, look: 1, down: 2 };
  const worst = recent.reduce((a, b) => (rank[b.data.state] > rank[a.data.state] ? b : a), newest);
  const time = newest.data.now + (now - newest.heard);
  const slot = Math.floor(newest.data.now / SLOT);
  const slots = Array.from({ length: SLOTS }, (_, at) => {
    const number = slot - SLOTS + 1 + at;
    return all.map((it) => it.slots.get(number)).filter(Boolean);
  });
  const started = Math.min(...live.map((it) => it.data.started));
  const span = SLOT * (SLOTS - 1) + (newest.data.now % SLOT);
  const minutes = Math.max(Math.min(span, newest.data.now - started), SLOT) / MINUTE;
  const catalogue = catalogues.get(newest.data.catalogue_id) ?? [...catalogues.values()][0];
  const pinned = new Set(recent.flatMap((it) => it.data.pinned));
  return { live, recent, newest: newest.data, worst: worst.data, time, slot, slots, minutes, started, catalogue, pinned };
}

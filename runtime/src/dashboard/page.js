const at = (id) => document.getElementById(id);
const BADGES = { good: "Good", look: "Look", down: "Down" };

function say(element, text) {
  // What is said again is not read aloud again.
  if (element.textContent !== text) element.textContent = text;
}

function facts(all) {
  const { live, minutes, newest } = all;
  const part = (name) => {
    const told = all.recent.map((it) => it.data.health.find((one) => one.name === name)).filter(Boolean);
    return told.find((it) => it.state === "down") ?? told.find((it) => it.state !== "up") ?? told[0];
  };
  const commands = sum(all.slots.flat().map((it) => it.commands)) / minutes;
  const owed = sum(live.map((it) => it.data.owed));
  const local = (name) => sum(live.map((it) => it.data.local[name]));
  const card = (name, state, ...text) => h("div", { class: state === "up" ? null : state, "data-key": name }, h("dt", null, name), h("dd", null, text));
  const others = newest.health.map((it) => it.name).filter((name) => name !== "Owed invalidations");
  return h("section", { "aria-label": "Facts" }, h("dl", { class: "facts" },
    others.map((name) => {
      const it = part(name) ?? { state: "up", text: "" };
      return card(name, it.state, it.state === "up" && name === "Circuit" ? "closed: commands are sent" : it.text);
    }),
    card("Owed invalidations", owed ? "degraded" : "up", owed ? `${number(owed)}; until they are delivered, their stored values are ignored here` : "none"),
    card("Local tier", "up", local("values") ? `${number(local("values"))} values, ${bytes(local("bytes"))} of ${bytes(local("most"))}` : "empty"),
    card("Commands", "up", `${rate(commands)} a minute`, newest.embedded ? "; embedded, so nobody bills them" : `; about ${number(commands * 60 * 24 * 30)} a month, which the database bills`),
    card("Processes", "up", live.length === 1 ? "one seen in the last minute" : `${live.length} seen in the last minute; numbers are their sum`)));
}

function troubles(all) {
  const each = all.live.flatMap((it) => it.data.degradations.map((one) => ({ ...one, process: it.data.process })));
  each.sort((a, b) => b.began - a.began);
  const lines = each.slice(0, 8).map((it) => h("li", { "data-key": `${it.process} ${it.began} ${it.text}`, class: it.over ? null : "lasts" },
    h("time", { datetime: new Date(it.began).toISOString() }, clock(it.began)), " ", it.text, " ",
    h("span", { class: "dim" }, it.over ? `ended after ${lasting(it.last - it.began)}` : `seen last ${lasting(all.time - it.last)} ago`,
      ` · ${number(it.failures)} ${it.failures === 1 ? "time" : "times"}`, all.live.length > 1 ? ` · process ${it.process}` : "")));
  return h("section", { "aria-labelledby": "troubles-title" }, h("h2", { id: "troubles-title" }, "What went wrong lately"),
    lines.length ? h("ul", { class: "troubles" }, lines) : h("p", { class: "dim" }, `Nothing since ${all.live.length === 1 ? "the process" : "the oldest process"} started.`));
}

function show() {
  if (!processes.size) {
    if (failure) [at("badge").className, at("sentence").textContent] = ["down", `The service gives no data: ${failure}.`];
    return;
  }
  const all = gathered();
  const { newest, worst, live } = all;
  const age = performance.now() - answered;
  const isOld = age > OLD;
  const others = live.length > 1 && worst.state !== "good" ? `In ${all.recent.filter((it) => it.data.state === worst.state).length} of ${live.length} processes: ` : "";
  say(at("badge"), isOld ? "Old" : BADGES[worst.state]);
  at("badge").className = isOld ? "old" : worst.state;
  say(at("sentence"), others + worst.sentence);
  at("head").className = isOld ? "old" : worst.state;
  document.title = `${isOld ? "Old" : BADGES[worst.state]} · millpond`;
  say(at("about"), [newest.engine, newest.namespace ? `namespace ${newest.namespace}` : null,
    `process ${newest.process}, started ${lasting(newest.now - newest.started)} ago`, `millpond ${newest.version}`].filter(Boolean).join(" · "));
  at("old").hidden = !isOld;
  say(at("old"), isOld ? `These numbers are ${lasting(Math.floor(age / 5000) * 5000)} old: the service does not answer this page${failure ? ` (${failure})` : ""}. It is asked every two seconds.` : "");
  document.body.classList.toggle("is-old", isOld);
  fill(at("main"), [facts(all), troubles(all), functionsPart(all), limitsPart(all), mapPart(all)]);
}

let timer = null;

async function poll() {
  clearTimeout(timer);
  timer = null;
  if (document.hidden) return;
  try {
    await ask();
    failure = "";
  } catch (error) {
    failure = error.name === "TimeoutError" ? "no answer in 5 s" : error.name === "TypeError" ? "no connection" : error.message;
  }
  show();
  // A page that is hidden asks nobody; another call may have begun meanwhile.
  if (!document.hidden && timer === null) timer = setTimeout(poll, PAUSE);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer), (timer = null);
  else poll();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { open, every: part, name, back: isBack } = button.dataset;
  if (open !== undefined) opened.delete(open) || opened.add(open);
  if (part) every[part] = !every[part];
  if (name !== undefined) choose(button.dataset);
  if (isBack !== undefined) [chosen, within] = [null, null];
  show();
});

document.addEventListener("input", (event) => {
  if (event.target.id !== "filter") return;
  wanted = event.target.value.trim();
  show();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target.id !== "filter") {
    event.preventDefault();
    at("filter")?.focus();
  }
  if (event.key !== "Escape") return;
  if (event.target.id === "filter") [event.target.value, wanted] = ["", ""];
  else back();
  show();
});

poll();

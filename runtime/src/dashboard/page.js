const at = (id) => document.getElementById(id);

async function ask() {
  const answer = await fetch("?data", { cache: "no-store" });
  const data = await answer.json();
  at("sentence").textContent = data.sentence;
  at("about").textContent = `${data.engine}, process ${data.process}`;
  at("health").replaceChildren(...data.health.map((part) => {
    const item = document.createElement("li");
    item.textContent = `${part.name}: ${part.text}`;
    return item;
  }));
}

async function poll() {
  if (!document.hidden) await ask().catch(() => { at("sentence").textContent = "The service does not answer."; });
  setTimeout(poll, 2000);
}

poll();

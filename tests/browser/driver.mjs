// A browser in one process: a JSON line in for a JSON line out. The tests say what to do, and judge what they get.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox"] });
const complaints = [];
let page;

const acts = {
  async open({ url, dark, width = 1200, height = 900 }) {
    await page?.context().close();
    const colorScheme = dark ? "dark" : "light";
    const context = await browser.newContext({ colorScheme, viewport: { width, height }, locale: "en-GB" });
    page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(String(error.stack)));
    // That the service does not answer is said by the browser itself, and by the page.
    page.on("console", (line) => {
      if (line.type() === "error" && !line.text().includes("Failed to load resource")) complaints.push(line.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`a request to ${request.url()}`);
    });
    await page.goto(url);
    await page.waitForSelector("main section");
  },
  // Waits until this is true in the page, and returns it. The policy of the page forbids the way of the library, which
  // makes a function of a text there.
  async wait({ expression }) {
    const end = Date.now() + 30_000;
    for (;;) {
      const value = await page.evaluate(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`not true in 30 s; the page says: ${await page.locator("body").innerText()}`);
      await page.waitForTimeout(50);
    }
  },
  evaluate: ({ expression }) => page.evaluate(expression),
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  click: ({ selector }) => page.locator(selector).first().click(),
  screenshot: ({ path, selector }) => (selector ? page.locator(selector).first() : page).screenshot({ path }).then(() => null),
  complaints: () => complaints,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, ...step } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await acts[act](step)) ?? null };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();

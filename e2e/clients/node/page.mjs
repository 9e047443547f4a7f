// Drives the page of `gatehouse ui` in headless Chromium, as the test tells it: each line of
// standard input is a command, each line of standard output its answer in JSON.
import readline from "node:readline";
import axe from "axe-core";
import {chromium} from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({viewport: {width: 1280, height: 1000}, colorScheme: "light"});
const problems = [];
page.on("console", (message) => {
  // The admin API may be gone, which the page shows; the browser logs each failed request by
  // itself.
  if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(message.text());
});
page.on("pageerror", (error) => problems.push(String(error)));
page.on("request", (request) => {
  if (!request.url().startsWith(process.env.URL)) problems.push("asked for " + request.url());
});

const commands = {
  open: async () => { await page.goto(process.env.URL); return null; },
  waitForText: async ({selector, text}) => {
    await page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.includes(t), [selector, text], {timeout: 60000});
    return null;
  },
  text: ({selector}) => page.textContent(selector),
  count: ({selector}) => page.locator(selector).count(),
  press: async ({keys}) => { for (const key of keys) await page.keyboard.press(key); return null; },
  type: async ({text}) => { await page.keyboard.type(text); return null; },
  focus: async ({selector}) => { await page.focus(selector); return null; },
  focused: () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || ""),
  select: async ({selector, value}) => { await page.selectOption(selector, value); return null; },
  dark: async () => { await page.emulateMedia({colorScheme: "dark"}); return null; },
  screenshot: async ({path}) => { await page.screenshot({path, fullPage: true}); return null; },
  problems: async () => problems,
  axe: async () => {
    await page.evaluate(axe.source); // evaluated by the browser itself, so that the page's policy need not allow it
    const result = await page.evaluate(() => window.axe.run(document, {resultTypes: ["violations"]}));
    return result.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
      .map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ").slice(0, 300)}`);
  },
};

for await (const line of readline.createInterface({input: process.stdin})) {
  const {command, ...args} = JSON.parse(line);
  try {
    console.log(JSON.stringify({result: await commands[command](args)}));
  } catch (error) {
    console.log(JSON.stringify({error: String(error)}));
  }
}
await browser.close();

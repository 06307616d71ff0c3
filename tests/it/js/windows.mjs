// Windows of the chat in a headless browser.
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

const { BROWSER, WAKELINE_URL } = process.env;
// A guard against hanging, for every wait.
const PATIENCE = 60_000;

export const browser = await chromium.launch({
  executablePath: execFileSync("which", [BROWSER], { encoding: "utf8" }).trim(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

// One of its own, joined and upgraded; `watch` sees its page before anything is loaded.
export async function open(name, watch = () => {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  await watch(page);
  await page.goto(WAKELINE_URL);
  await page.fill("#name", name);
  await page.fill("#room", "lobby");
  await page.click("#join");
  await page.waitForSelector('#status[data-transport="websocket"]');
  await page.evaluate(() => {
    window.departures = [];
    window.known = window.socket.id;
    window.socket.on("disconnect", (reason) => window.departures.push(reason));
  });
  return { context, name, page, problems };
}

export async function say({ page }, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

// By an expression and exactly: a string would match in any case.
export const bubble = ({ page }, text) =>
  page.locator("#messages .bubble", { hasText: new RegExp(text) }).first();

export const hears = (window, text) => bubble(window, text).waitFor();

// Two windows of the chat in a headless browser.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { ask, figure } from "./lib.mjs";

const { BROWSER, SCREENSHOTS, WAKELINE_URL } = process.env;

const browser = await chromium.launch({
  executablePath: await which(BROWSER),
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

async function which(name) {
  const { execFileSync } = await import("node:child_process");
  return execFileSync("which", [name], { encoding: "utf8" }).trim();
}

// A window of its own, its network watched.
async function open(name) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
  const page = await context.newPage();
  const network = { polls: 0, websockets: 0, statuses: [] };
  const protocol = await context.newCDPSession(page);
  await protocol.send("Network.enable");
  protocol.on("Network.webSocketHandshakeResponseReceived", ({ response }) => network.statuses.push(response.status));
  page.on("request", (request) => (network.polls += request.url().includes("transport=polling") ? 1 : 0));
  page.on("websocket", () => (network.websockets += 1));
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(WAKELINE_URL);
  await page.fill("#name", name);
  await page.fill("#room", "lobby");
  await page.click("#join");
  await page.waitForSelector('#status[data-transport="websocket"]');
  await page.evaluate(() => {
    window.departures = 0;
    window.socket.on("disconnect", () => (window.departures += 1));
  });
  return { context, network, page, problems, name };
}

const say = async ({ page }, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
// Exactly: a string would match in any case.
const bubble = ({ page }, text) => page.locator("#messages .bubble", { hasText: new RegExp(text) }).first();
const hears = (window, text, timeout = 15_000) => bubble(window, text).waitFor({ timeout });

const ada = await open("Ada");
const ben = await open("Ben");
for (const { network, name } of [ada, ben]) {
  assert.ok(network.polls >= 1, `${name} polled ${network.polls} times`);
  assert.equal(network.websockets, 1);
  assert.deepEqual(network.statuses, [101]);
}
await ada.page.locator("#members li", { hasText: "Ben" }).first().waitFor();
await say(ada, "hello from Ada");
await hears(ben, "hello from Ada");
await say(ben, "hello Ada, this is Ben");
await hears(ada, "hello Ada, this is Ben");
// A picture travels as a binary attachment.
const picture = await ada.page.screenshot({ clip: { x: 0, y: 0, width: 320, height: 160 } });
await ada.page.setInputFiles("#image", { name: "picture.png", mimeType: "image/png", buffer: picture });
await ben.page.locator("#messages .bubble img").first().waitFor();
await ada.page.screenshot({ path: `${SCREENSHOTS}/chat-ada.png` });

const from = performance.now();
await ask("edit");
// Ben says things until one arrives louder: the new handler has taken over, between two events.
let round = 0;
for (let loud = false; !loud; round += 1) {
  assert.ok(performance.now() - from < 120_000, "the edited handler never took over");
  await say(ben, `whisper ${round}`);
  await hears(ada, `(whisper|WHISPER) ${round}$`);
  loud = await bubble(ada, `WHISPER ${round}$`).isVisible();
  if (!loud) await ada.page.waitForTimeout(200);
}
const seconds = ((performance.now() - from) / 1000).toFixed(1);
await ask("break");
await say(ada, "still here");
await hears(ben, "STILL HERE");
for (const { page, problems, network, name } of [ada, ben]) {
  assert.equal(await page.evaluate(() => window.departures), 0, `${name} was disconnected`);
  assert.equal(await page.evaluate(() => window.socket.connected), true);
  assert.equal(network.websockets, 1, `${name} opened another WebSocket`);
  assert.deepEqual(problems, []);
}
await ben.page.screenshot({ path: `${SCREENSHOTS}/chat-ben.png` });

// Offline for a moment: what was said meanwhile is there afterwards.
await ben.context.setOffline(true);
await ben.page.evaluate(() => window.socket.io.engine.close());
await ben.page.waitForSelector('#status[data-state="reconnecting"]');
await say(ada, "while you were away");
await ben.context.setOffline(false);
await hears(ben, "WHILE YOU WERE AWAY", 30_000);
assert.equal(await ben.page.evaluate(() => window.socket.recovered), true);
await ben.page.screenshot({ path: `${SCREENSHOTS}/chat-recovered.png` });

figure(`chromium: two windows polled, upgraded (101) and chatted; an edited handler took over after ${seconds} s, no socket closed`);
await browser.close();
process.exit(0);

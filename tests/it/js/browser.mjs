// Two windows of the chat in a headless browser.
import assert from "node:assert/strict";
import { ask, figure } from "./lib.mjs";
import { browser, bubble, hears, open, say } from "./windows.mjs";

const { SCREENSHOTS } = process.env;

// A window whose network is watched.
async function watched(name) {
  const network = { polls: 0, websockets: 0, statuses: [] };
  const window = await open(name, async (page) => {
    const protocol = await page.context().newCDPSession(page);
    await protocol.send("Network.enable");
    protocol.on("Network.webSocketHandshakeResponseReceived", ({ response }) => network.statuses.push(response.status));
    page.on("request", (request) => (network.polls += request.url().includes("transport=polling") ? 1 : 0));
    page.on("websocket", () => (network.websockets += 1));
  });
  return { ...window, network };
}

const ada = await watched("Ada");
const ben = await watched("Ben");
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
  assert.ok(performance.now() - from < 300_000, "the edited handler never took over");
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
  assert.deepEqual(await page.evaluate(() => window.departures), [], `${name} was disconnected`);
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
await hears(ben, "WHILE YOU WERE AWAY");
assert.equal(await ben.page.evaluate(() => window.socket.recovered), true);
await ben.page.screenshot({ path: `${SCREENSHOTS}/chat-recovered.png` });

figure(`chromium: two windows polled, upgraded (101) and chatted; an edited handler took over after ${seconds} s, no socket closed`);
await browser.close();
process.exit(0);

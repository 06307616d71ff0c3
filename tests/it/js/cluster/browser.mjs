// Two windows of the chat behind round robin; the node that holds one of them is killed while the other speaks.
import assert from "node:assert/strict";
import { ask, figure } from "../lib.mjs";
import { browser, hears, open, say } from "../windows.mjs";

const { ADMINS, SCREENSHOTS } = process.env;
const MESSAGES = 60;
const admins = ADMINS.split(",");

// A number of each node's metrics; of a dead one 0.
async function metrics(name) {
  const count = async (admin) => {
    const text = await fetch(`http://${admin}/metrics`).then((answer) => answer.text(), () => "");
    return Number(text.match(new RegExp(`^wakeline_${name} (\\d+)`, "m"))?.[1] ?? 0);
  };
  return Promise.all(admins.map(count));
}
const sessions = () => metrics('sessions\\{app="chat"\\}');

// The nodes' counts, once they are `total` in all: a window that was closed takes a moment to be gone.
async function settled(total) {
  for (let attempt = 0; attempt < 1200; attempt += 1) {
    const counts = await sessions();
    if (counts.reduce((sum, count) => sum + count) === total) return counts;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the nodes hold ${await sessions()} sessions, not ${total}`);
}

const numbers = ({ page }) =>
  page.locator("#messages .bubble").evaluateAll((all) =>
    all.map((bubble) => bubble.textContent.match(/^message (\d+)$/)?.[1]).filter(Boolean).map(Number));

const ben = await open("Ben");
const home = (await settled(1)).indexOf(1);
// Ada elsewhere, and her WebSocket not carried by that node either: where she lands is the balancer's turn.
let ada = await open("Ada");
const meets = async () => (await settled(2))[home] > 1 || (await metrics("forwarded_websockets"))[home] > 0;
for (let attempt = 0; await meets(); attempt += 1) {
  assert.ok(attempt < 30, "the balancer sends everyone to one node");
  await ada.context.close();
  await settled(1);
  ada = await open("Ada");
}
await say(ada, "hello from another node");
await hears(ben, "^hello from another node$");
await say(ben, "hello Ada");
await hears(ada, "^hello Ada$");

// Ada speaks without a pause; in the middle Ben's node dies.
let killed;
for (let number = 1; number <= MESSAGES; number += 1) {
  await say(ada, `message ${number}`);
  if (number === MESSAGES / 3) killed = ask(`kill ${home}`);
}
await killed;
await hears(ben, `^message ${MESSAGES}$`);
const expected = Array.from({ length: MESSAGES }, (_, index) => index + 1);
assert.deepEqual(await numbers(ben), expected, "Ben's page misses something, or has it twice");
assert.deepEqual(await numbers(ada), expected);
await ben.page.waitForSelector('#status[data-transport="websocket"]');
const after = await ben.page.evaluate(() => ({
  departures: window.departures,
  recovered: window.socket.recovered,
  same: window.socket.id === window.known,
}));
assert.deepEqual(after, { departures: ["transport close"], recovered: true, same: true });
assert.deepEqual(await ada.page.evaluate(() => window.departures), []);
await say(ben, "still here");
await hears(ada, "^still here$");
await ben.page.screenshot({ path: `${SCREENSHOTS}/cluster-ben.png` });
await ada.page.screenshot({ path: `${SCREENSHOTS}/cluster-ada.png` });
for (const { problems } of [ada, ben]) assert.deepEqual(problems, []);

figure(`chromium: the node of one window was killed in mid-chat: ${MESSAGES} of ${MESSAGES} messages in its page, once and in order`);
await browser.close();
process.exit(0);

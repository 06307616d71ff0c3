// Two windows of a page that was deployed, whose client comes from the host.
import assert from "node:assert/strict";
import { browser, hears, open, say } from "./windows.mjs";

const scripts = [];
const watch = (page) =>
  page.on("response", (answer) => answer.url().endsWith("/socket.io.min.js") && scripts.push(answer.status()));
const ada = await open("Ada", watch);
const ben = await open("Ben", watch);
await say(ada, "hello from Ada");
await hears(ben, "hello from Ada");
for (const { problems } of [ada, ben]) assert.deepEqual(problems, []);
assert.deepEqual(scripts, [200, 200]);
await browser.close();
process.exit(0);

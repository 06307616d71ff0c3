// node cluster/verbs.mjs: what a handler on one node does to sockets on the others. NODES: their URLs. May ask the test to
// "pause 2" (its third node) and to "resume 2".
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await answers.next();
}

const MS = 60_000;
const heard = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
function connect(url) {
  const socket = io(url, { path: "/probe/socket.io/", transports: ["websocket"], forceNew: true, reconnection: false });
  socket.call = (event, ...args) => socket.timeout(MS).emitWithAck(event, ...args);
  return socket;
}
const urls = process.env.NODES.split(",");
const sockets = urls.map(connect);
await Promise.all(sockets.map((socket) => heard(socket, "connect")));
const [one, two, three] = sockets;
for (const socket of sockets) await socket.call("join", "hall");

// Who is there, on all nodes.
const ids = (list) => list.map((socket) => socket.id).sort();
let found = await one.call("who", "hall");
assert.deepEqual([found.ids.sort(), found.missing], [ids(sockets), []]);

// All are asked, wherever they are.
sockets.forEach((socket, index) => socket.on("question", (_question, answer) => answer(index * 10)));
let asked = heard(two, "all answered");
two.emit("ask all", "hall", "how many?", MS);
assert.deepEqual((await asked)[0], { answers: [0, 10, 20], missing: 0, missing_nodes: 0 });

// Everyone in a room is moved, and gone, by one node's word.
await three.call("move", "hall", "room 0");
for (let n = 1; n <= 50; n += 1) {
  await sockets[n % 3].call("move", `room ${n - 1}`, `room ${n}`);
  // Another node is asked as soon as the first has answered: each has moved its own by then, or does before it says so.
  found = await sockets[(n + 1) % 3].call("who", `room ${n}`);
  assert.deepEqual([found.ids.sort(), found.missing], [ids(sockets), []], `after move ${n}`);
}
await two.call("move", "room 50", "garden");
assert.deepEqual((await one.call("who", "hall")).ids, []);
const closed = heard(two, "disconnect");
await one.call("kick", two.id);
assert.equal((await closed)[0], "io server disconnect");

// A node that does not answer makes the result partial, not an error. Both at once: it is one of them as long as its lease
// lasts, and no longer.
const four = connect(urls[0]);
await heard(four, "connect");
await ask("pause 2");
asked = heard(one, "all answered");
one.emit("ask all", "garden", "still there?", 2000);
found = await four.call("who", "garden");
assert.deepEqual([found.ids, found.missing], [[one.id], ["node-3"]]);
assert.deepEqual((await asked)[0], { answers: [0], missing: 0, missing_nodes: 1 });
await ask("resume 2");

sockets.forEach((socket) => socket.close());
// What reads the answers would wait for more.
process.exit(0);

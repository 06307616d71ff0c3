// A plain WebSocket and bare Engine.IO with npm's `ws`: what goes out comes back.
import assert from "node:assert/strict";
import { wire, Frames } from "./wire.mjs";

const socket = new Frames(`${process.env.WAKELINE_URL.replace("http", "ws")}/ws`);
await socket.opened();
for (const message of ["hello", "κόσμε", Buffer.from([1, 2, 3])]) {
  socket.send(message);
  assert.deepEqual(await socket.next(), message);
}
const raw = wire("engine.io").socket();
assert.match(await raw.next(), /^0\{/);
raw.send("4hello");
assert.equal(await raw.packet(), "4hello");
process.exit(0);

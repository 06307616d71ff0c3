// A client says hello to three versions in turn, on one socket.
import { ask, assert, call, connected, leave } from "./lib.mjs";

const socket = await connected();
const { id } = socket;
let closed = false;
socket.on("disconnect", () => (closed = true));

assert.equal(await call(socket, "hello", "Ann"), "Hello, Ann!");
await ask("deploy");
assert.equal(await call(socket, "hello", "Ann"), "Good day, Ann!");
await ask("rollback");
assert.equal(await call(socket, "hello", "Ann"), "Hello, Ann!");
assert.equal(socket.id, id);
assert.equal(closed, false, "no deploy closes a socket");
leave();
process.exit(0);

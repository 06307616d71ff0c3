// A version that crashes in every call: events are answered by errors until the one before is back; the socket stays.
import { ask, assert, call, connected, leave } from "./lib.mjs";

const socket = await connected();
let closed = false;
socket.on("disconnect", () => (closed = true));
assert.deepEqual(await call(socket, "version"), ["good", 1]);
await ask("deploy");
let answer;
let crashes = 0;
do {
  answer = await call(socket, "version");
  if (answer.error) {
    assert.equal(answer.error.code, "handler_trapped");
    crashes += 1;
  }
} while (answer.error);
assert.deepEqual(answer, ["good", 2], "nothing of the calls that crashed happened");
assert.ok(crashes >= 3, `${crashes} crashes`);
assert.equal(closed, false);
leave();
process.exit(0);

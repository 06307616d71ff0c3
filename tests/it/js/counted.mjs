// What an app has in its store, told by its handler.
import { assert, call, connected, leave } from "./lib.mjs";

const socket = await connected();
assert.equal(await call(socket, "pushes"), Number(process.env.PUSHES));
const [label] = await call(socket, "version");
assert.equal(label, process.env.LABEL);
leave();
process.exit(0);

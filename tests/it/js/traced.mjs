// An event of a client that is part of a trace: its handler sends an HTTP request.
import { assert, connected, leave, within } from "./lib.mjs";

const { PLACE, TRACEPARENT } = process.env;
const socket = await connected({ extraHeaders: { traceparent: TRACEPARENT } });
// It says hello as well.
const said = within("answer", (resolve) => socket.on("reply", (text) => /^\d/.test(text) && resolve(text)));
socket.emit("http", PLACE, "/");
assert.equal(await said, "200 0 bytes");
leave();
process.exit(0);

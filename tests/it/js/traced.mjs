// An event of a client that is part of a trace: its handler sends an HTTP request.
import { assert, connected, leave, once } from "./lib.mjs";

const { PLACE, TRACEPARENT } = process.env;
const socket = await connected({ extraHeaders: { traceparent: TRACEPARENT } });
const said = once(socket, "reply");
socket.emit("http", PLACE, "/");
assert.equal((await said)[0], "200 0 bytes");
leave();
process.exit(0);

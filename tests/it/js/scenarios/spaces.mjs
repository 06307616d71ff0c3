// Namespaces and credentials. App: examples/conformance.
import { assert, bytes, call, client, connected, once } from "../lib.mjs";

export async function credentials_reach_the_handler_as_they_were_sent() {
  const socket = client({ auth: { token: "123", deep: [{ a: null }] } });
  const [auth] = await once(socket, "auth");
  assert.deepEqual(auth, { token: "123", deep: [{ a: null }] });
}

export async function namespaces_share_a_connection_and_keep_apart() {
  const main = client({ auth: { who: "main" } });
  const custom = main.io.socket("/custom", { auth: { who: "custom" } });
  custom.connect();
  const [[first], [second]] = await Promise.all([once(main, "auth"), once(custom, "auth")]);
  assert.deepEqual([first.who, second.who], ["main", "custom"]);
  assert.notEqual(main.id, custom.id);
  const strays = [];
  main.onAny((event) => strays.push(event));
  custom.emit("message", 1, "2", [3]);
  assert.deepEqual(await once(custom, "message-back"), [1, "2", [3]]);
  assert.deepEqual(strays, []);
  const gone = once(custom, "disconnect");
  custom.disconnect();
  await gone;
  main.emit("message", "still here");
  assert.deepEqual(await once(main, "message-back"), ["still here"]);
}

export async function acks_carry_many_arguments_and_binary() {
  const socket = await connected();
  const args = await new Promise((resolve) =>
    socket.emit("message-with-ack", 1, { b: Buffer.from([2]) }, "3", (...answer) => resolve(answer)));
  assert.equal(args[0], 1);
  assert.deepEqual(bytes(args[1].b), Buffer.from([2]));
  assert.equal(args[2], "3");
}

export async function events_return_with_their_binary() {
  const socket = await connected();
  const back = once(socket, "message-back");
  socket.emit("message", Buffer.from([1, 2]), { x: [Buffer.from([3])] });
  const [first, second] = await back;
  assert.deepEqual([bytes(first), bytes(second.x[0])], [Buffer.from([1, 2]), Buffer.from([3])]);
  assert.deepEqual(await call(socket, "message-with-ack", "x"), "x");
}

export async function a_refused_namespace_leaves_the_others_alone() {
  const main = await connected();
  const nowhere = main.io.socket("/random");
  nowhere.connect();
  const [error] = await once(nowhere, "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.equal(await call(main, "message-with-ack", "here"), "here");
}

export async function heartbeats_keep_an_idle_client_and_cost_it_nothing() {
  // Pings come every 300 ms there: three of them pass while the client says nothing.
  const socket = await connected();
  let left = false;
  socket.on("disconnect", () => (left = true));
  for (let ping = 0; ping < 3; ping += 1) await once(socket.io, "ping");
  assert.equal(left, false);
  assert.equal(await call(socket, "message-with-ack", 1), 1);
}

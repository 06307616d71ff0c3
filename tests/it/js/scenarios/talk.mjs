// Events, acks, binary, namespaces: what an application does on a fine day. App: examples/bench.
import { assert, bytes, call, client, collect, connected, once, settled, transport, upTo } from "../lib.mjs";

export async function a_client_connects_and_has_the_id_that_the_app_knows() {
  const socket = await connected();
  const who = await call(socket, "whoami");
  assert.equal(who.sid, socket.id);
  assert.deepEqual(who.rooms, [socket.id]);
  assert.equal(who.recovered, false);
  assert.equal(socket.recovered, false);
  assert.equal(await settled(socket), transport === "polling" ? "polling" : "websocket");
  assert.equal((await call(socket, "whoami")).sid, socket.id);
}

export async function an_ack_answers_with_what_was_sent() {
  const socket = await connected();
  const values = [null, true, 0, -1.5, 9007199254740991, "", "x", "\u001e\u0000\u2028 \"\\", "κόσμε 🦀", [], {}, [[[1]]],
    { a: { b: [null, { c: "d" }] }, "": 1, __proto__x: 2 }];
  for (const value of values) {
    assert.deepEqual(await call(socket, "echo", value), value);
  }
}

export async function binary_arguments_travel_both_ways_at_any_depth() {
  const socket = await connected();
  const image = Buffer.from(upTo(256, 0));
  assert.deepEqual(bytes(await call(socket, "echo", image)), image);
  assert.deepEqual(bytes(await call(socket, "echo", Buffer.alloc(0))), Buffer.alloc(0));
  const deep = await call(socket, "echo", { name: "ü", parts: [image, { more: new Uint8Array([7]) }, "text"] });
  assert.deepEqual(bytes(deep.parts[0]), image);
  assert.deepEqual(bytes(deep.parts[1].more), Buffer.from([7]));
  assert.deepEqual([deep.name, deep.parts[2]], ["ü", "text"]);
}

export async function events_keep_their_order() {
  const socket = await connected();
  const answers = [];
  await Promise.all(upTo(300).map((n) => call(socket, "echo", n).then((answer) => answers.push(answer))));
  assert.deepEqual(answers, upTo(300));
  await call(socket, "join", "own");
  const heard = collect(socket, "msg");
  for (const n of upTo(500)) socket.emit("say", "own", n);
  await heard.reach(500);
  assert.deepEqual([...heard], upTo(500));
}

export async function payloads_up_to_the_limit_pass() {
  const socket = await connected();
  await settled(socket);
  const text = "é".repeat(350_000);
  assert.equal(await call(socket, "echo", text), text);
  const data = Buffer.alloc(700_000, 0xa5);
  assert.deepEqual(bytes(await call(socket, "echo", data)), data);
}

export async function a_payload_above_the_limit_ends_the_connection_and_the_client_returns() {
  const socket = await connected();
  await settled(socket);
  const gone = once(socket, "disconnect");
  socket.emit("echo", "x".repeat(1_100_000), () => {});
  const [reason] = await gone;
  assert.match(reason, /^transport (close|error)$/);
  await once(socket, "connect");
  assert.equal(await call(socket, "echo", 1), 1);
}

export async function rooms_deliver_to_their_members_only() {
  const [anna, bert, carl] = await Promise.all([connected(), connected(), connected()]);
  const heard = [anna, bert, carl].map((socket) => collect(socket, "msg"));
  await call(anna, "join", "red");
  await call(bert, "join", "red");
  carl.emit("say", "red", "to red");
  anna.emit("say", bert.id, "to bert");
  await heard[1].reach(2);
  await heard[0].reach(1);
  await call(bert, "leave", "red");
  await call(carl, "join", "red");
  anna.emit("say", "red", "again");
  // Of what anna says, "again" would stand before this with bert. That one client has heard it says nothing of another.
  anna.emit("say", bert.id, "last");
  await Promise.all([heard[0].reach(2), heard[1].reach(3), heard[2].reach(1)]);
  assert.deepEqual([...heard[0]], ["to red", "again"]);
  assert.deepEqual([...heard[1]].slice(0, 2).sort(), ["to bert", "to red"]);
  assert.deepEqual([...heard[1]].slice(2), ["last"]);
  assert.deepEqual([...heard[2]], ["again"]);
}

export async function a_client_in_several_rooms_hears_each_event_once() {
  const [speaker, listener] = await Promise.all([connected(), connected()]);
  const heard = collect(listener, "msg");
  await call(listener, "join", "a");
  await call(listener, "join", "a");
  await call(listener, "join", "b");
  for (const n of upTo(20)) speaker.emit("say", n % 2 ? "a" : "b", n);
  await heard.reach(20);
  await call(listener, "echo", 0);
  assert.deepEqual([...heard], upTo(20));
}

export async function an_unknown_namespace_is_refused_in_the_words_clients_know() {
  const socket = client({ namespace: "/nowhere" });
  const [error] = await once(socket, "connect_error");
  assert.equal(error.message, "Invalid namespace");
  assert.equal(socket.active, false);
}

export async function an_ack_that_does_not_come_in_time_is_the_clients_error() {
  const socket = await connected();
  // "say" never answers.
  await assert.rejects(socket.timeout(100).emitWithAck("say", "nowhere", 1), /timed out/);
  assert.equal(await call(socket, "echo", "alive"), "alive");
}

export async function state_belongs_to_one_socket() {
  const [anna, bert] = await Promise.all([connected(), connected()]);
  await call(anna, "set", { colour: "red" });
  assert.deepEqual((await call(anna, "whoami")).state, { colour: "red" });
  assert.notDeepEqual((await call(bert, "whoami")).state, { colour: "red" });
}

export async function a_client_that_left_and_returns_is_a_new_socket() {
  const socket = await connected();
  const { id } = socket;
  await call(socket, "join", "red");
  const gone = once(socket, "disconnect");
  socket.disconnect();
  assert.deepEqual((await gone)[0], "io client disconnect");
  socket.connect();
  await once(socket, "connect");
  assert.notEqual(socket.id, id);
  assert.equal(socket.recovered, false);
  assert.deepEqual((await call(socket, "whoami")).rooms, [socket.id]);
}

export async function a_handler_that_traps_costs_its_call_and_nothing_else() {
  const socket = await connected();
  let left = false;
  socket.on("disconnect", () => (left = true));
  await call(socket, "set", "kept");
  socket.emit("trap");
  assert.deepEqual((await call(socket, "whoami")).state, "kept");
  // One who waits for an answer is told, rather than left to time out.
  const answered = await Promise.race([call(socket, "trap").then(() => true), call(socket, "echo", 1).then(() => false)]);
  assert.equal(answered, true);
  assert.equal(left, false);
}

export async function a_hundred_clients_at_once_are_served() {
  const everyone = await Promise.all(upTo(100).map(() => connected()));
  await Promise.all(everyone.map((socket) => call(socket, "join", "hall")));
  const heard = everyone.map((socket) => collect(socket, "msg"));
  for (const n of upTo(20)) everyone[n].emit("say", "hall", n);
  await Promise.all(heard.map((seen) => seen.reach(20)));
  // All hear the same, in the same order (P1).
  for (const seen of heard) assert.deepEqual([...seen], [...heard[0]]);
}

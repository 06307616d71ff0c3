// What a handler can do to sockets, seen from clients. App: tests/it/probe.
import { ask, assert, call, client, collect, connected, cutOff, once, upTo } from "../lib.mjs";

const through = process.env.PROXY_URL;

export async function a_refused_client_gets_message_and_data() {
  const refused = client({ auth: { bad: 1 } });
  const [error] = await once(refused, "connect_error");
  assert.equal(error.message, "not authorized");
  assert.deepEqual(error.data, { code: 42 });
  const rude = client({ auth: { rude: 1 } });
  const [other] = await once(rude, "connect_error");
  assert.equal(other.message, "go away");
  assert.equal(other.data, undefined);
  // Told no, a client may try again with better words.
  refused.auth = { room: "red" };
  refused.connect();
  await once(refused, "connect");
}

export async function what_the_connect_call_emits_arrives_after_the_connect() {
  const socket = client({ query: { name: "Ann" } });
  const order = [];
  socket.on("connect", () => order.push("connect"));
  socket.on("welcome", (name) => order.push(name));
  await once(socket, "welcome");
  assert.deepEqual(order, ["connect", "Ann"]);
}

export async function the_handler_asks_and_the_client_answers() {
  const socket = await connected();
  socket.on("question", (question, answer) => answer({ you: "asked", question }));
  socket.emit("ask", "6 × 7?", 5000);
  const [value] = await once(socket, "answered");
  assert.deepEqual(value, { you: "asked", question: "6 × 7?" });
}

export async function a_question_that_nobody_answers_times_out() {
  const socket = await connected();
  const asked = once(socket, "question");
  socket.emit("ask", "anyone?", 200);
  await asked;
  await once(socket, "unanswered");
}

export async function a_broadcast_leaves_out_the_speaker_and_the_excepted() {
  const [anna, bert, carl] = await Promise.all(["red", "red", "blue"].map((room) => connected({ auth: { room } })));
  const heard = [anna, bert, carl].map((socket) => collect(socket, "msg"));
  anna.emit("shout", "red", 1);
  anna.emit("except", "blue", 2);
  anna.emit("except", anna.id, 3);
  await heard[1].reach(3);
  await heard[2].reach(1);
  await Promise.all([anna, bert, carl].map((socket) => call(socket, "echo", 0)));
  assert.deepEqual(heard.map((seen) => [...seen]), [[2], [1, 2, 3], [3]]);
}

export async function sockets_are_listed_and_moved_by_room() {
  const everyone = await Promise.all(upTo(5).map(() => connected({ auth: { room: "red" } })));
  const ids = everyone.map((socket) => socket.id).sort();
  assert.deepEqual((await call(everyone[0], "members", "red")).sort(), ids);
  await call(everyone[0], "move", "red", "blue");
  assert.deepEqual((await call(everyone[1], "members", "blue")).sort(), ids);
  assert.deepEqual(await call(everyone[1], "members", "red"), []);
}

export async function whoever_was_answered_finds_the_sockets_moved() {
  const everyone = await Promise.all(upTo(5).map(() => connected({ auth: { room: "0" } })));
  const ids = everyone.map((socket) => socket.id).sort();
  for (const n of upTo(200)) {
    // Sockets are on several cores: who moves them, who asks, and those that are asked for.
    await call(everyone[n % 5], "move", `${n - 1}`, `${n}`);
    assert.deepEqual((await call(everyone[(n + 1) % 5], "members", `${n}`)).sort(), ids, `after move ${n}`);
  }
}

export async function a_handler_that_disconnects_ends_the_namespace_for_good() {
  const socket = await connected();
  const gone = once(socket, "disconnect");
  socket.emit("leave us");
  assert.equal((await gone)[0], "io server disconnect");
  assert.equal(socket.active, false);
}

export async function a_handler_that_hangs_up_closes_the_connection() {
  const socket = await connected();
  const gone = once(socket, "disconnect");
  socket.emit("hang up");
  assert.match((await gone)[0], /^(io server disconnect|transport close)$/);
}

export async function those_left_behind_are_told_who_went_and_why() {
  const [mourner, goer] = await Promise.all([connected({ auth: { room: "mourners" } }), connected()]);
  const { id } = goer;
  const gone = once(mourner, "gone");
  goer.disconnect();
  assert.deepEqual((await gone).slice(0, 2), [id, "Client"]);
}

export async function a_call_that_fails_leaves_nothing_behind() {
  const socket = await connected();
  const heard = collect(socket, "msg");
  const before = await call(socket, "count");
  socket.emit("regret");
  assert.equal(await call(socket, "count"), before + 1);
  assert.deepEqual(await call(socket, "members", "regrets"), []);
  assert.deepEqual([...heard], []);
}

export async function a_timer_runs_without_anyone_asking() {
  const socket = await connected();
  socket.emit("later", { n: 1 }, 150);
  assert.deepEqual((await once(socket, "later"))[0], { n: 1 });
}

export async function a_volatile_event_arrives_at_clients_that_listen() {
  const socket = await connected({ auth: { room: "red" } });
  const heard = collect(socket, "msg");
  // One may be lost while a poll is under way; not all of twenty, each sent when the last was answered.
  for (const n of upTo(20)) {
    socket.emit("maybe", "red", `volatile ${n}`);
    await call(socket, "echo", n);
  }
  assert.ok(heard.length > 0);
  assert.deepEqual([...heard], [...new Set(heard)].sort((a, b) => a.split(" ")[1] - b.split(" ")[1]));
}

export async function p2_a_client_whose_last_event_was_volatile_recovers() {
  const [speaker, ear] = await Promise.all([connected(), connected({ through, auth: { room: "red" } })]);
  const heard = collect(ear, "msg");
  const known = ear.id;
  speaker.emit("say", "red", 1);
  await heard.reach(1);
  // A volatile event that ends in a string is what poisons the offset elsewhere.
  for (let n = 0; heard.length < 2; n += 1) {
    speaker.emit("maybe", "red", "a volatile string");
    await call(speaker, "echo", n);
    await call(ear, "echo", n);
  }
  const before = heard.length;
  const gone = once(ear, "disconnect");
  await ask("cut");
  await gone;
  speaker.emit("say", "red", 2);
  speaker.emit("maybe", "red", "not for the log");
  speaker.emit("say", "red", 3);
  await call(speaker, "echo", 0);
  await ask("heal");
  await heard.reach(before + 2);
  assert.deepEqual(heard.slice(before), [2, 3]);
  assert.deepEqual([ear.recovered, ear.id], [true, known]);
}

export async function p2_a_recovered_client_answers_questions_and_is_not_mourned() {
  const [mourner, ear] = await Promise.all([
    connected({ auth: { room: "mourners" } }),
    connected({ through, auth: { room: "red" } }),
  ]);
  const mourned = collect(mourner, "gone");
  await cutOff(ear);
  ear.on("question", (question, answer) => answer(question));
  ear.emit("ask", "still you?", 5000);
  assert.equal((await once(ear, "answered"))[0], "still you?");
  assert.deepEqual([...mourned], []);
}

export async function p8_a_flood_arrives_whole_and_in_order() {
  const socket = await connected();
  const heard = collect(socket, "msg");
  for (let round = 0; round < 5; round += 1) socket.emit("flood", 900);
  await heard.reach(4500);
  assert.deepEqual([...heard], upTo(5).flatMap(() => upTo(900, 0)));
}

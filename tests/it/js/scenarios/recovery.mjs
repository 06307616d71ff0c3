// The line stays up (P1, P2, P3). App: examples/bench, through a proxy that can cut, stall and strand.
import { ask, assert, call, collect, connected, cutOff, figure, once, settled, transport, upTo, within } from "../lib.mjs";

const through = process.env.PROXY_URL;

// A speaker on a sound line, and listeners of one room on the faulty one.
async function hall(listeners) {
  const speaker = await connected();
  const ears = await Promise.all(upTo(listeners).map(() => connected({ through })));
  for (const ear of ears) {
    ear.known = ear.id;
    ear.heard = collect(ear, "msg");
    ear.recoveries = [];
    ear.on("connect", () => ear.recoveries.push(ear.recovered));
    ear.on("disconnect", (reason) => (ear.reason = reason));
  }
  await Promise.all(ears.map((ear) => call(ear, "join", "hall")));
  return { speaker, ears };
}

// Says `count` numbers from `from`, one at a time: the next when the handler has answered for the last.
async function speak(speaker, count, from = 1, pause = 0) {
  for (const n of upTo(count, from)) {
    speaker.emit("say", "hall", n);
    await call(speaker, "echo", n);
    if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// Every ear heard each number once, in order, and is who it was.
async function whole(ears, count) {
  await Promise.all(ears.map((ear) => ear.heard.reach(count)));
  for (const ear of ears) {
    assert.deepEqual([...ear.heard], upTo(count));
    assert.equal(ear.id, ear.known);
  }
}

function recovered(ears, atLeast = 1) {
  for (const ear of ears) {
    assert.ok(ear.recoveries.length >= atLeast, `reconnected ${ear.recoveries.length} times, not ${atLeast}`);
    assert.ok(ear.recoveries.every(Boolean), "connected anew instead of recovering");
  }
}

async function cut_in_mid_traffic(listeners, ms, count, pause) {
  const { speaker, ears } = await hall(listeners);
  const speech = speak(speaker, count, 1, pause);
  await Promise.all(ears.map((ear) => ear.heard.reach(3)));
  const started = performance.now();
  await ask(`cut for ${ms}`);
  await Promise.all(ears.map((ear) => ear.connected || once(ear, "connect")));
  const back = performance.now() - started - ms;
  await speech;
  await whole(ears, count);
  recovered(ears);
  const who = await call(ears[0], "whoami");
  assert.deepEqual([...who.rooms].sort(), [ears[0].id, "hall"].sort());
  figure(`${transport}: ${listeners} clients cut off for ${ms / 1000} s in mid-traffic: ` +
    `${listeners * count} of ${listeners * count} messages, once and in order; all back ${Math.round(back)} ms after`);
}

export const p2_two_hundred_clients_cut_off_for_two_seconds_lose_nothing = () => cut_in_mid_traffic(200, 2000, 200, 10);
export const p2_two_hundred_clients_cut_off_for_sixty_seconds_lose_nothing = () =>
  cut_in_mid_traffic(200, 60_000, 300, 150);

export async function p2_a_client_that_never_received_an_event_recovers() {
  const { speaker, ears } = await hall(1);
  await ask("cut");
  await within("disconnect", (resolve) => (ears[0].connected ? ears[0].once("disconnect", resolve) : resolve()));
  await speak(speaker, 5);
  await ask("heal");
  await whole(ears, 5);
  recovered(ears);
}

export async function p2_a_client_recovers_again_and_again_without_duplicates() {
  const { speaker, ears } = await hall(3);
  for (const round of upTo(4)) {
    await speak(speaker, 5, round * 10 - 9);
    const gone = Promise.all(ears.map((ear) => once(ear, "disconnect")));
    await ask("cut");
    await gone;
    await speak(speaker, 5, round * 10 - 4);
    await ask("heal");
    await whole(ears, round * 10);
  }
  recovered(ears, 4);
}

export async function p2_the_state_and_the_rooms_survive() {
  const { speaker, ears: [ear] } = await hall(1);
  await call(ear, "set", { page: 7 });
  await call(ear, "join", "second");
  await cutOff(ear);
  const who = await call(ear, "whoami");
  assert.deepEqual(who.state, { page: 7 });
  assert.deepEqual([...who.rooms].sort(), [ear.known, "hall", "second"].sort());
  assert.equal(who.sid, ear.known);
  speaker.emit("say", "second", 1);
  await whole([ear], 1);
}

export async function p2_the_old_connection_need_not_be_noticed_dead_first() {
  const { speaker, ears } = await hall(1);
  const [ear] = ears;
  await settled(ear);
  await speak(speaker, 3);
  await ear.heard.reach(3);
  // From here the server writes into a connection that nobody reads, and does not know it.
  await ask("strand");
  await speak(speaker, 3, 4);
  const back = once(ear, "connect");
  ear.io.engine.close();
  await back;
  await whole(ears, 6);
  recovered(ears);
  await speak(speaker, 3, 7);
  await whole(ears, 9);
  // The predecessor is evicted once, not the successor later: two pings pass and the client is still here.
  await once(ear.io, "ping");
  await once(ear.io, "ping");
  assert.equal(ear.connected, true);
  assert.equal(ear.recoveries.length, 1);
}

export async function p2_a_stall_shorter_than_the_heartbeat_is_not_even_noticed() {
  const { speaker, ears } = await hall(2);
  await Promise.all(ears.map(settled));
  await ask("stall");
  await speak(speaker, 20);
  await ask("heal");
  await whole(ears, 20);
}

export async function p2_beyond_the_window_a_client_is_told_and_nothing_is_replayed() {
  const { speaker, ears: [ear] } = await hall(1);
  await speak(speaker, 2);
  await ear.heard.reach(2);
  const gone = once(ear, "disconnect");
  await ask("cut");
  await gone;
  await speak(speaker, 3, 3);
  // The app's window is one second there.
  const back = once(ear, "connect");
  await ask("heal after the window");
  await back;
  assert.equal(ear.recovered, false);
  assert.notEqual(ear.id, ear.known);
  await call(ear, "join", "hall");
  await speak(speaker, 1, 6);
  await ear.heard.reach(3);
  assert.deepEqual([...ear.heard], [1, 2, 6]);
}

export async function p2_a_killed_process_started_again_loses_nothing() {
  const { speaker, ears } = await hall(20);
  ears.push(speaker);
  speaker.known = speaker.id;
  speaker.heard = collect(speaker, "msg");
  speaker.recoveries = [];
  speaker.on("connect", () => speaker.recoveries.push(speaker.recovered));
  await call(speaker, "join", "hall");
  await call(ears[0], "set", "before");
  await speak(speaker, 50);
  const gone = Promise.all(ears.map((ear) => once(ear, "disconnect")));
  await ask("restart");
  await gone;
  await Promise.all(ears.map((ear) => ear.connected || once(ear, "connect")));
  assert.deepEqual((await call(ears[0], "whoami")).state, "before");
  await speak(speaker, 50, 51);
  await whole(ears, 100);
  recovered(ears);
}

export async function p2_what_was_accepted_while_a_client_was_away_outlives_the_process() {
  const { speaker, ears } = await hall(2);
  await speak(speaker, 2);
  await Promise.all(ears.map((ear) => ear.heard.reach(2)));
  await ask("cut");
  await speak(speaker, 8, 3);
  await ask("restart");
  await ask("heal");
  await whole(ears, 10);
  recovered(ears);
}

export async function p10_a_drained_process_is_left_without_a_disconnect_packet() {
  const { speaker, ears } = await hall(10);
  await speak(speaker, 10);
  const all = [...ears, speaker];
  const gone = Promise.all(all.map((socket) => once(socket, "disconnect")));
  await ask("drain");
  // "io server disconnect" would mean that the client does not come back.
  for (const [reason] of await gone) assert.match(reason, /^transport (close|error)$/);
  await Promise.all(all.map((socket) => socket.connected || once(socket, "connect")));
  await speak(speaker, 10, 11);
  await whole(ears, 20);
  recovered(ears);
}

// Socket.IO v5 over raw WebSockets, and the Engine.IO part of its suite on the same path.
import { assert } from "../wire.mjs";
import { suiteOf } from "./engineio.mjs";

const { on, upgraded, ...common } = suiteOf("socket.io");

export const {
  polling_opens_a_session,
  polling_refuses_a_wrong_version,
  polling_refuses_a_wrong_transport,
  polling_refuses_a_wrong_method,
  websocket_opens_a_session,
  websocket_refuses_a_wrong_version,
  websocket_refuses_a_wrong_transport,
  polling_has_pings_and_takes_pongs,
  polling_closes_without_pongs,
  websocket_has_pings_and_takes_pongs,
  websocket_closes_without_pongs,
  polling_closes_when_the_client_does,
  websocket_closes_when_the_client_does,
  a_poll_after_the_upgrade_is_refused,
  a_second_websocket_after_the_upgrade_is_closed,
} = common;

export async function polling_upgrades_to_websocket() {
  const { socket } = await upgraded();
  socket.send("40");
  assert.match(await socket.packet(), /^40\{"sid":/);
}

async function opened() {
  const socket = on.socket();
  await socket.next();
  return socket;
}

// In the main namespace, greeted.
async function connected() {
  const socket = await opened();
  socket.send("40");
  await socket.packet();
  await socket.packet();
  return socket;
}

async function connects(request, prefix, auth) {
  const socket = await opened();
  socket.send(request);
  const answer = await socket.packet();
  assert.ok(answer.startsWith(`40${prefix}`));
  const handshake = JSON.parse(answer.slice(2 + prefix.length));
  assert.deepEqual(Object.keys(handshake), ["sid"]);
  assert.equal(typeof handshake.sid, "string");
  assert.equal(await socket.packet(), `42${prefix}["auth",${auth}]`);
}

async function closes(packet) {
  const socket = await connected();
  socket.send(packet);
  await socket.closes();
}

export const connects_to_the_main_namespace = () => connects("40", "", "{}");
export const connects_with_credentials = () => connects('40{"token":"123"}', "", '{"token":"123"}');
export const connects_to_a_custom_namespace = () => connects("40/custom,", "/custom,", "{}");
export const connects_to_a_custom_namespace_with_credentials = () =>
  connects('40/custom,{"token":"abc"}', "/custom,", '{"token":"abc"}');

export async function refuses_an_unknown_namespace() {
  const socket = await opened();
  socket.send("40/random");
  assert.equal(await socket.packet(), '44/random,{"message":"Invalid namespace"}');
}

export async function closes_on_a_handshake_that_is_none() {
  const socket = await opened();
  socket.send("4abc");
  await socket.closes();
}

export async function closes_without_a_handshake() {
  const socket = await opened();
  // Pings are answered, so what closes is the connect time-out of one second.
  for (let frame = await socket.next(); frame.closed === undefined; frame = await socket.next()) {
    if (frame === "2") socket.send("3");
  }
}

export async function leaving_the_main_namespace_closes() {
  const socket = await connected();
  socket.send("41");
  await socket.closes();
}

export async function leaving_a_custom_namespace_leaves_the_main_one() {
  const socket = await connected();
  socket.send("40/custom");
  await socket.packet();
  await socket.packet();
  socket.send("41/custom");
  socket.send('42["message","message to main namespace"]');
  assert.equal(await socket.packet(), '42["message-back","message to main namespace"]');
}

async function answers(request, answer) {
  const socket = await connected();
  for (const frame of request) socket.send(frame);
  for (const frame of answer) assert.deepEqual(await socket.packet(), frame);
}

const binary = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];
const two = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

export const returns_an_event = () =>
  answers(['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']);
export const returns_binary = () =>
  answers([`452-["message",${two}]`, ...binary], [`452-["message-back",${two}]`, ...binary]);
export const acknowledges_an_event = () =>
  answers(['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']);
export const acknowledges_binary = () =>
  answers([`452-789["message-with-ack",${two}]`, ...binary], [`462-789[${two}]`, ...binary]);

export const closes_on_an_unknown_packet_type = () => closes("4abc");
export const closes_on_a_payload_that_is_no_array = () => closes("42{}");
export const closes_on_an_ack_id_that_is_no_number = () => closes('42abc["message-with-ack",1,"2",{"3":[false]}]');

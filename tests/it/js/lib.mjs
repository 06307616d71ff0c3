// What every scenario uses: clients that end with it, waits that have a deadline, a word with the test.
import assert from "node:assert/strict";
import readline from "node:readline";
import { io } from "socket.io-client";

const { WAKELINE_URL: url, WAKELINE_PATH: path = "/socket.io/", TRANSPORT: transport = "websocket" } = process.env;
// A guard against hanging, not a promise of speed: for every wait.
const PATIENCE = 60;
const transports = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] };

export { assert, path, transport, url };

const sockets = [];

// A client on a connection of its own, as an application would write it; quicker to return than by default.
export function client({ namespace = "/", through = url, ...options } = {}) {
  const socket = io(through + namespace, {
    path,
    transports: transports[transport],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 400,
    ...options,
  });
  sockets.push(socket);
  return socket;
}

// Those that go through the proxy are going to be cut: when their upgrade is through, since a client whose probe breaks
// while its polling is paused notices nothing before its ping time-out (engine.io-client 6).
export async function connected(options) {
  const socket = client(options);
  await once(socket, "connect");
  if (options?.through) await settled(socket);
  return socket;
}

// The arguments of the next such event. Asked for before what causes it: whoever is slow to hear that the link is sound
// again would wait for a second return.
export function once(emitter, event) {
  return within(`"${event}"`, (resolve) => emitter.once(event, (...args) => resolve(args)));
}

// Cuts the link until the client knows, and waits until it is back.
export async function cutOff(socket) {
  const gone = once(socket, "disconnect");
  await ask("cut");
  await gone;
  const back = once(socket, "connect");
  await ask("heal");
  await back;
}

// Until an upgrade is through, where there is one to come.
export async function settled(socket) {
  const { engine } = socket.io;
  if (transport === "upgrade" && engine.transport.name !== "websocket") {
    await once(engine, "upgrade");
  }
  return engine.transport.name;
}

// The answer to an event.
export function call(socket, event, ...args) {
  return within(`ack of "${event}"`, (resolve) => socket.emit(event, ...args, resolve));
}

export function within(what, executor) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${PATIENCE} s`)), PATIENCE * 1000);
    executor((value) => {
      clearTimeout(timer);
      resolve(value);
    }, reject);
  });
}

// Collects what `event` brings, without the offset that recovery appends.
export function collect(socket, event) {
  const seen = [];
  let wake = () => {};
  socket.on(event, (value) => {
    seen.push(value);
    wake();
  });
  // Until `count` are there.
  seen.reach = (count) =>
    within(`${count} of "${event}" (${seen.length} now)`, (resolve) => {
      wake = () => seen.length >= count && resolve(seen);
      wake();
    }).catch((error) => {
      throw new Error(`${error.message}; have ${seen.length}, last ${JSON.stringify(seen.at(-1))}`);
    });
  return seen;
}

export const upTo = (count, from = 1) => Array.from({ length: count }, (_, index) => from + index);

// Bytes in any wrapping, for comparison.
export const bytes = (value) => Buffer.from(value);

const answers = readline.createInterface({ input: process.stdin });
const asking = [];
answers.on("line", () => asking.shift()?.());

// Has the test do something to the world: cut the link, restart the server.
export function ask(what) {
  process.stdout.write(`${JSON.stringify({ ask: what })}\n`);
  return new Promise((resolve) => asking.push(resolve));
}

export function figure(text) {
  process.stdout.write(`${JSON.stringify({ figure: text })}\n`);
}

export function leave() {
  for (const socket of sockets) socket.disconnect();
  answers.close();
}

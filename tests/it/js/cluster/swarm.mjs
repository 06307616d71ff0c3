// node cluster/swarm.mjs: many stock clients in traffic. A line of JSON on standard input says what to do, a line on
// standard output answers when it is done: `{"do": "connect"}` → `{"done": {…}}`. App: tests/it/probe.
import readline from "node:readline";
import { io } from "socket.io-client";
import { History } from "./history.mjs";
import { seeded } from "./seeded.mjs";

const { WAKELINE_URL, WAKELINE_PATH, CLIENTS, ROOMS, SEED, TRANSPORTS = "polling,websocket" } = process.env;
const random = seeded(Number(SEED));
const history = new History();
const ACK_MS = 30_000;
// Names that no room has.
const rooms = Array.from({ length: Number(ROOMS) }, (_, index) => `room-${index}`);
const members = Array.from({ length: Number(CLIENTS) }, (_, number) => new Member(number));

// Waits of all sorts: looked at again whenever something has happened.
const waiting = new Set();
function until(condition) {
  return new Promise((resolve) => {
    const look = () => condition() && (waiting.delete(look), resolve());
    waiting.add(look);
    look();
  });
}
let looking = false;
function happened() {
  if (looking) return;
  looking = true;
  setImmediate(() => {
    looking = false;
    for (const look of [...waiting]) look();
  });
}

// One client: it joins two rooms and speaks in the first.
function Member(number) {
  const own = [rooms[number % rooms.length], rooms[Math.floor(random() * rooms.length)]];
  this.number = number;
  this.rooms = [...new Set(own)];
  this.home = own[0];
  this.ready = false;
  this.outstanding = 0;
  this.said = 0;
  this.log = history.client(number, this.rooms);
}

Member.prototype.connect = function () {
  const socket = io(WAKELINE_URL, {
    path: WAKELINE_PATH,
    transports: TRANSPORTS.split(","),
    forceNew: true,
    // Quicker to return than by default, since the tests wait for them.
    reconnectionDelay: 100,
    reconnectionDelayMax: 1000,
    timeout: 8000,
  });
  this.socket = socket;
  socket.on("msg", (id, offset) => {
    this.log.receive(id, offset);
    happened();
  });
  socket.io.on("open", () => {
    const { engine } = socket.io;
    this.stays = false;
    engine.on("upgrade", happened);
    // A stock client whose upgrade has failed stays with polling: so be it.
    engine.on("upgradeError", () => {
      this.log.stay();
      this.stays = true;
      happened();
    });
  });
  socket.on("connect", () => {
    this.log.connect(socket.id, socket.recovered);
    // A socket that recovered is in its rooms; one that is new joins them.
    if (!socket.recovered) this.enter();
    happened();
  });
  socket.on("disconnect", (reason, details) => {
    this.log.disconnect(reason, details);
    happened();
  });
  socket.on("connect_error", (error) => this.log.error(error));
};

// Joins, and has a state to be known by.
Member.prototype.enter = async function () {
  const { socket, log } = this;
  this.ready = false;
  const id = socket.id;
  try {
    for (const room of this.rooms) await call(socket, "join", room);
    await call(socket, "set", this.number);
  } catch (error) {
    // Lost on the way: if it recovers, what is missing is done then; if it is new, it starts over anyway.
    await until(() => socket.connected);
    if (socket.id === id) return this.enter();
    return;
  }
  log.joined();
  this.ready = true;
  happened();
};

Member.prototype.settled = function () {
  const engine = this.socket.io.engine;
  const last = TRANSPORTS.split(",").at(-1);
  return this.ready && this.socket.connected && (this.stays || engine?.transport?.name === last);
};

// Says something in its room; the ack says that it was accepted.
Member.prototype.say = async function (mark) {
  this.said += 1;
  const id = mark ?? `${this.number}.${this.said}`;
  const said = history.say(id, this.home);
  this.outstanding += 1;
  await call(this.socket, "tell", this.home, id).then(
    () => said.accepted(),
    (error) => said.unknown(error.message),
  );
  this.outstanding -= 1;
  happened();
  return said.outcome === "accepted";
};

async function call(socket, event, ...args) {
  const answer = await socket.timeout(ACK_MS).emitWithAck(event, ...args);
  if (answer?.error) throw new Error(`refused: ${answer.error.code}`);
  return answer;
}

let talking;
function talk(rate) {
  clearInterval(talking);
  const share = (rate * 20) / 1000;
  talking = setInterval(() => {
    let count = Math.floor(share) + (random() < share % 1 ? 1 : 0);
    while (count-- > 0) {
      const member = members[Math.floor(random() * members.length)];
      // Only who is connected: what is said while away waits in the client, and is not what is tested.
      if (member.ready && member.socket.connected) member.say();
    }
  }, 20);
}

// The last word in each room: one order means that whoever has heard it has heard all before it.
async function finish() {
  const marks = new Map();
  for (const room of rooms) {
    const speaker = members.find((member) => member.home === room);
    for (let attempt = 0; speaker && !marks.has(room); attempt += 1) {
      await until(() => speaker.socket.connected && speaker.ready);
      const mark = `last.${room}.${attempt}`;
      if (await speaker.say(mark)) marks.set(room, mark);
    }
  }
  const missing = (member) => member.rooms.filter((room) => marks.has(room) && !member.log.has(marks.get(room)));
  await Promise.race([
    until(() => members.every((member) => missing(member).length === 0)),
    // What has not come by now is lost, and the checker will say so.
    new Promise((resolve) => setTimeout(resolve, 60_000)),
  ]);
  for (const member of members) {
    if (!member.socket.connected) continue;
    const answer = await call(member.socket, "whoami").catch((error) => ({ problem: error.message }));
    member.log.whoami(answer);
  }
  return marks;
}

const commands = {
  async connect({ atOnce = 50 }) {
    const started = performance.now();
    for (let from = 0; from < members.length; from += atOnce) {
      const some = members.slice(from, from + atOnce);
      for (const member of some) member.connect();
      await until(() => some.every((member) => member.settled()));
    }
    return { ms: performance.now() - started, ...history.errors() };
  },
  async talk({ rate }) {
    talk(rate);
  },
  // Until so many more are accepted.
  async accepted({ count }) {
    const goal = history.accepted + count;
    await until(() => history.accepted >= goal);
  },
  async cuts() {
    return { count: history.disconnects };
  },
  // Until more than so many have lost their connection, whenever that was.
  async cut({ before }) {
    await until(() => history.disconnects > before);
  },
  async settled() {
    const from = performance.now();
    await until(() => members.every((member) => member.settled()));
    return { ms: performance.now() - from };
  },
  async stop() {
    clearInterval(talking);
    await until(() => members.every((member) => member.outstanding === 0));
  },
  async report() {
    const marks = await finish();
    return history.report(marks);
  },
  async where() {
    return members.map(({ socket, number, ready }) => ({
      number,
      ready,
      connected: socket.connected,
      active: socket.active,
      transport: socket.io.engine?.transport?.name,
      state: socket.io._readyState,
      session: socket.io.engine?.id,
    }));
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { do: what, ...options } = JSON.parse(line);
  // Not awaited: `where` may be asked while another waits.
  Promise.resolve(commands[what](options)).then(
    (done) => process.stdout.write(`${JSON.stringify({ to: what, done: done ?? {} })}\n`),
    (error) => process.stdout.write(`${JSON.stringify({ to: what, problem: String(error.stack) })}\n`),
  );
}
process.exit(0);

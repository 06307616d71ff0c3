// How each limit is broken, and what the one who breaks it is told.
import { io } from "socket.io-client";

const { WAKELINE_URL: url } = process.env;
const upTo = (count) => Array.from({ length: count }, (_, index) => index);
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function open(path, options = {}) {
  return io(`${url}/`, { path, transports: ["websocket"], forceNew: true, reconnection: false, ...options });
}

// The outcome of joining: the socket, or what was said instead.
function joined(socket) {
  return new Promise((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("connect_error", (error) => resolve(error.data ?? error.message));
    socket.once("disconnect", (reason) => resolve(reason));
  });
}

async function crowd(path, count) {
  const sockets = upTo(count).map(() => open(path));
  await Promise.all(sockets.map(joined));
  return sockets;
}

// What the handler's failure, its "reply" or its ack says.
function outcome(socket, event, ...args) {
  return new Promise((resolve) => {
    const done = (said) => {
      socket.off("reply", done);
      resolve(said?.error ? `${said.error.code}: ${said.error.message}` : said);
    };
    socket.once("reply", done);
    socket.timeout(5000).emit(event, ...args, (late, said) => done(late ? "no answer" : said));
  });
}

// `count` clients call handlers again and again.
const calls = (count, events, expects) => ({
  expects,
  prepare: (path) => crowd(path, count),
  async turn(sockets, note) {
    await Promise.all(
      sockets.map(async (socket) => {
        for (const [event, ...args] of events) note(await outcome(socket, event, ...args));
      }),
    );
    await rest(5);
  },
});

// Events beyond a rate: all are answered, and the last of them late.
const floods = (count, events, size) => ({
  expects: /^all answered, after [1-9]/,
  prepare: (path) => crowd(path, count),
  async turn(sockets, note) {
    const from = performance.now();
    const payload = "x".repeat(size);
    const answers = sockets.flatMap((socket) => upTo(events).map(() => socket.emitWithAck("echo", payload)));
    const answered = await Promise.all(answers);
    if (answered.every((answer) => answer === payload)) {
      note(`all answered, after ${((performance.now() - from) / 1000).toFixed(1)} s`);
    }
  },
});

const limited = /^handler_limit: /;
const named = (limit) => new RegExp(`^handler_error: .*${limit} = `);

export const attacks = {
  "cpu-ms-per-call": calls(10, [["loop"]], limited),
  "cpu-ms-per-second": calls(10, [["loop"]], /^rate_limited: /),
  "wall-ms-per-call": calls(10, [["sleep", "1000"]], limited),
  "memory-bytes": calls(4, [["hog"]], limited),
  instances: calls(10, [["sleep", "20"]], /^woke/),
  connections: {
    expects: /websocket error/,
    prepare: (path) => crowd(path, 4),
    async turn(sockets, note) {
      const socket = open(sockets[0].io.opts.path);
      note(await joined(socket));
      socket.disconnect();
      await rest(5);
    },
  },
  sockets: {
    expects: /"limit":"sockets"/,
    prepare: (path) => crowd(path, 4),
    async turn(sockets, note) {
      const socket = open(sockets[0].io.opts.path);
      note(await joined(socket));
      socket.disconnect();
      await rest(5);
    },
  },
  "events-queued": floodsOf("sleep", "20", 30),
  "events-per-second": floods(2, 130, 10),
  "bytes-per-second": floods(2, 20, 10_000),
  "app-events-per-second": floods(4, 60, 10),
  "app-bytes-per-second": floods(4, 5, 10_000),
  "app-bytes-out-per-second": floods(3, 5, 10_000),
  "rooms-per-socket": calls(4, [["join-many", "10"]], named("rooms_per_socket")),
  "effects-per-call": calls(4, [["emit-flood"], ["emit-until-refused"]], named("effects_per_call")),
  "effect-bytes-per-call": calls(4, [["emit-big"]], named("effect_bytes_per_call")),
  "fan-out-per-call": calls(8, [["emit-everyone"]], named("fan_out_per_call")),
  "reads-per-call": calls(4, [["read-flood"]], limited),
  "kv-writes-per-call": calls(4, [["kv-fill", "100", "1", "a"]], /kv_writes_per_call = 10/),
  "kv-value-bytes": calls(4, [["kv-fill", "1", "2000", "a"]], /kv_value_bytes = 1000/),
  "kv-keys": calls(4, [["kv-fill", "30", "1", "a"]], limited),
  "kv-bytes": calls(4, [["kv-fill", "30", "1000", "a"]], limited),
  "host-bytes-per-call": calls(4, [["kv-fill", "30", "10000", "a"]], /host_bytes_per_call = 100000/),
  "log-lines-per-call": calls(4, [["log-flood"]], limited),
  "log-lines-per-second": calls(4, [["log-some", "50"], ["count"]], /^\d+$/),
  "http-requests-per-call": calls(4, [["http", "127.0.0.1:1", "/"]], /ConnectionLimitReached/),
  "http-requests-per-second": calls(4, [["http", "127.0.0.1:1", "/"]], /ConnectionLimitReached/),
  timers: calls(4, [["timers-many", "5"]], limited),
};

// More events than may wait: the connection is read no further, and all are handled.
function floodsOf(event, arg, count) {
  return {
    expects: /^all \d+ handled/,
    prepare: (path) => crowd(path, 2),
    async turn(sockets, note) {
      await Promise.all(
        sockets.map(
          (socket) =>
            new Promise((resolve) => {
              let handled = 0;
              socket.on("reply", () => {
                handled += 1;
                if (handled === count) {
                  note(`all ${count} handled`);
                  socket.off("reply");
                  resolve();
                }
              });
              for (const _ of upTo(count)) socket.emit(event, arg);
            }),
        ),
      );
    },
  };
}

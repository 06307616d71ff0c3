// The small chat of examples/bench on Node's socket.io: `node server.mjs PORT none|recovery|redis|streams REDIS_PORT`.
// One process; several on one Redis are what socket.io's documentation calls a cluster.
import { createServer } from "node:http";
import { createAdapter as pubSub } from "@socket.io/redis-adapter";
import { createAdapter as streams } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, adapter, redisPort] = process.argv.slice(2);

async function redis() {
  const client = createClient({ url: `redis://127.0.0.1:${redisPort}` });
  client.on("error", (error) => console.error(error));
  await client.connect();
  return client;
}

const options = {};
if (adapter === "recovery") {
  options.connectionStateRecovery = {};
} else if (adapter === "redis") {
  options.adapter = pubSub(await redis(), await redis());
} else if (adapter === "streams") {
  options.adapter = streams(await redis());
  // Of the two, the adapter that can bring a lost connection's packets back on another node.
  options.connectionStateRecovery = {};
}

const http = createServer((_, response) => response.end("ready\n"));
const io = new Server(http, options);
io.on("connection", (socket) => {
  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("join", async (room, ack) => {
    await socket.join(room);
    ack();
  });
  socket.on("say", (room, message) => io.to(room).emit("msg", message));
});
http.listen(Number(port), "127.0.0.1");

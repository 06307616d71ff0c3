// Clients in traffic through deploys and rollbacks: none is closed, every event is answered once, by a version that was
// live between its being sent and its answer.
import { ask, assert, connected, figure, leave } from "./lib.mjs";

const { CLIENTS, DEPLOYS, ROLLBACKS } = process.env;

// What may answer: the version that is live, and while the author changes it, the one that comes.
let live = ["1"];
// Every change of `live` has a number; `since[n]` is what may have answered from change n on.
const history = [{ labels: new Set(live) }];
const may = (from) => history.slice(from).some.bind(history.slice(from));

let over = false;
let closed = 0;
let answered = 0;

async function talk(socket) {
  let count = 0;
  while (!over) {
    const from = history.length - 1;
    const [label, counted] = await new Promise((resolve, reject) => {
      socket.timeout(60_000).emit("version", (error, answer) => (error ? reject(error) : resolve(answer)));
    });
    count += 1;
    assert.equal(counted, count, "no event is lost or doubled");
    assert.ok(may(from)(({ labels }) => labels.has(label)), `version ${label} was not live`);
    answered += 1;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const sockets = [];
for (let begun = 0; begun < CLIENTS; begun += 20) {
  sockets.push(...(await Promise.all(Array.from({ length: Math.min(20, CLIENTS - begun) }, () => connected()))));
}
for (const socket of sockets) {
  socket.on("disconnect", (reason) => {
    if (!over) {
      closed += 1;
      console.error(`closed: ${reason}`);
    }
  });
}
const talks = Promise.all(sockets.map(talk));
talks.catch((error) => {
  console.error(error);
  process.exit(1);
});

const stack = ["1"];
let next = 2;
const changes = [];
for (let n = 1; n < DEPLOYS; n += 1) {
  changes.push("deploy");
  if (n % 4 === 0 && changes.filter((what) => what === "rollback").length < ROLLBACKS) changes.push("rollback");
}
while (changes.filter((what) => what === "rollback").length < ROLLBACKS) changes.push("deploy", "rollback");

for (const what of changes) {
  const before = stack.at(-1);
  if (what === "deploy") {
    stack.push(String(next));
    next += 1;
  } else {
    stack.pop();
  }
  const after = stack.at(-1);
  history.push({ labels: new Set([before, after]) });
  await ask(what);
  history.push({ labels: new Set([after]) });
  // Some answers of it before the next.
  const enough = answered + sockets.length;
  while (answered < enough) await new Promise((resolve) => setTimeout(resolve, 20));
}
over = true;
await talks;
assert.equal(closed, 0, "no socket closes");
figure(
  `${sockets.length} clients through ${1 + changes.filter((what) => what === "deploy").length} deploys and ` +
    `${changes.filter((what) => what === "rollback").length} rollbacks: ${answered} events answered once each, 0 sockets closed`,
);
leave();
process.exit(0);

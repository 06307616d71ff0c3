// Two apps attack the node with all that a handler can do; the third one's round trips are timed.
import { assert, call, client, connected, figure, leave, once, upTo } from "./lib.mjs";

const SPELL_MS = 5000;
const ATTACKS = ["loop", "hog", "unreachable", "overflow", "emit-flood", "emit-big", "log-flood", "read-flood", "print-flood"];

const bench = await connected({ path: "/bench/socket.io/" });

async function measure() {
  const times = [];
  const end = performance.now() + SPELL_MS;
  for (let from = performance.now(); from < end; from = performance.now()) {
    assert.equal(await call(bench, "echo", from), from);
    times.push(performance.now() - from);
    // A person, not a benchmark: the attackers live in this process as well.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(share * (times.length - 1))].toFixed(1);
  return { trips: times.length, p50: at(0.5), p99: at(0.99), worst: at(1) };
}

const calm = await measure();

// Each attacker starts over when its connection ends, and attacks as soon as its last attack is over.
let over = false;
let attacks = 0;
async function attack(app, commands) {
  const socket = client({ path: `/${app}/socket.io/` });
  await once(socket, "connect");
  for (let turn = 0; !over; turn += 1) {
    const [event, ...args] = [commands[turn % commands.length]].flat();
    // An ack, an error or nothing: what counts is that the handler had its go.
    await socket.timeout(1000).emitWithAck(event, ...args).catch(() => {});
    attacks += 1;
  }
}
const attackers = [
  ...upTo(4).map(() => attack("guest-hostile", ATTACKS)),
  ...upTo(4).map(() => attack("probe", [["flood", 900], ["flood", 100_000], ["regret"]])),
];
const stormy = await measure();
over = true;
await Promise.all(attackers);
assert.ok(attacks > 20, `${attacks} attacks`);
const line = ({ trips, p50, p99, worst }) => `${trips} trips, p50 ${p50} ms, p99 ${p99} ms, worst ${worst} ms`;
figure(`neighbours: a third app's round trips in calm: ${line(calm)}; under ${attacks} attacks by two apps: ${line(stormy)}`);
leave();
process.exit(0);

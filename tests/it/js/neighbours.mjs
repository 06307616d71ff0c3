// Two apps attack the node with all that a handler can do; the third one's round trips are timed.
import { fork } from "node:child_process";
import { assert, call, connected, figure, leave } from "./lib.mjs";

const SPELL_MS = 5000;
// Fewer attacks would prove nothing.
const ATTACKS = 20;

const bench = await connected({ path: "/bench/socket.io/" });

// For a spell, and until all of `what` has happened.
async function measure(what = Promise.resolve()) {
  const times = [];
  let happened = false;
  what.then(() => (happened = true));
  const end = performance.now() + SPELL_MS;
  for (let from = performance.now(); from < end || !happened; from = performance.now()) {
    assert.equal(await call(bench, "echo", from), from);
    times.push(performance.now() - from);
    // A person, not a benchmark.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(share * (times.length - 1))].toFixed(1);
  return { trips: times.length, p50: at(0.5), p99: at(0.99), worst: at(1) };
}

const calm = await measure();

// In a process of their own, which gets what this one leaves: attackers sit on machines of their own.
const attackers = fork(new URL("./neighbours/attack.mjs", import.meta.url), [ATTACKS], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
const heard = () =>
  new Promise((resolve, reject) => {
    attackers.once("message", resolve);
    attackers.once("exit", (code) => reject(new Error(`the attackers ended with ${code}`)));
  });
await heard();
const stormy = await measure(heard());
attackers.send("stop");
const attacks = await heard();
attackers.kill();
const line = ({ trips, p50, p99, worst }) => `${trips} trips, p50 ${p50} ms, p99 ${p99} ms, worst ${worst} ms`;
figure(`neighbours: a third app's round trips in calm: ${line(calm)}; under ${attacks} attacks by two apps: ${line(stormy)}`);
leave();
process.exit(0);

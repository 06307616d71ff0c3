// One app breaks a limit after another, each in a process of its own; another app's round trips are timed meanwhile. What
// is checked is counted: for how many slices of other apps' calls a call of this one waited.
import { fork } from "node:child_process";
import { assert, call, connected, figure, leave } from "./lib.mjs";

const names = process.argv[2].split(",");
const CALM_MS = 4000;
const STORM_MS = 1500;

const victim = await connected({ path: "/bench/socket.io/" });

async function measure(duration) {
  const times = [];
  const end = performance.now() + duration;
  for (let from = performance.now(); from < end; from = performance.now()) {
    assert.equal(await call(victim, "echo", from), from);
    times.push(performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  return times;
}

const at = (times, share) => times.toSorted((a, b) => a - b)[Math.floor(share * (times.length - 1))];
const show = (times) => `p50 ${at(times, 0.5).toFixed(2)} ms, p99 ${at(times, 0.99).toFixed(2)} ms`;

async function metric(name) {
  const text = await (await fetch(`${process.env.WAKELINE_ADMIN}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return Number(line?.split(" ").at(-1) ?? 0);
}

const slicesWaited = () => metric(`wakeline_slices_waited_total{app="bench"}`);
const hits = (app, limit) => metric(`wakeline_app_limit_hits_total{app="${app}",limit="${limit}"}`);

function next(child, what) {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`${what}: its process ended with ${code}`)));
  });
}

// Attacks until the measuring is over; answers what the attacker was told.
async function storm(name) {
  const child = fork(new URL("./limits/attack.mjs", import.meta.url), [name], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  assert.equal(await next(child, name), "ready");
  child.send("go");
  const times = await measure(STORM_MS);
  const said = next(child, name);
  child.send("stop");
  const told = await said;
  child.kill();
  return { times, told };
}

await measure(1000);
const calm = await measure(CALM_MS);
const all = [];
const rows = [];
for (const name of names) {
  const limit = name.replaceAll("-", "_");
  const before = await slicesWaited();
  const { times, told } = await storm(name);
  const waited = (await slicesWaited()) - before;
  // Whatever else the machine does: a call of this tenant does not stand behind those of the other.
  assert.ok(waited <= times.length, `${name}: ${times.length} calls waited for ${waited} slices of others`);
  assert.ok(told.ok, `${name}: the attacker was told ${JSON.stringify(told.said)}`);
  assert.ok((await hits(name, limit)) > 0, `${name} is not in the metrics`);
  all.push(...times);
  rows.push(`  ${name}: ${show(times)} (×${(at(times, 0.99) / at(calm, 0.99)).toFixed(1)}); told: ${told.said}`);
}
const calmAgain = [...calm, ...(await measure(CALM_MS))];
const ratio = at(all, 0.99) / at(calmAgain, 0.99);
figure(
  `limits: another tenant's round trips in calm: ${show(calmAgain)}; beside one that breaks ${names.length} limits in turn: ` +
    `${show(all)}, p99 ×${ratio.toFixed(2)}; its calls waited for ` +
    `${await slicesWaited()} slices of others\n${rows.join("\n")}`,
);
leave();
process.exit(0);

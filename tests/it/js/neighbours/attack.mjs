// Eight clients of two apps, that do all that a handler can do until told to stop; says when there have been enough attacks,
// and then how many there were.
import { setPriority } from "node:os";
import { client, once, upTo } from "../lib.mjs";

setPriority(19);

const ATTACKS = ["loop", "hog", "unreachable", "overflow", "emit-flood", "emit-big", "log-flood", "read-flood", "print-flood"];

const enough = Number(process.argv[2]);
let over = false;
let attacks = 0;
// Each starts over when its connection ends, and attacks as soon as its last attack is over.
async function attack(app, commands) {
  const socket = client({ path: `/${app}/socket.io/` });
  await once(socket, "connect");
  for (let turn = 0; !over; turn += 1) {
    const [event, ...args] = [commands[turn % commands.length]].flat();
    // An ack, an error or nothing: what counts is that the handler had its go.
    await socket.timeout(1000).emitWithAck(event, ...args).catch(() => {});
    attacks += 1;
    if (attacks === enough) process.send("enough");
  }
}

const attackers = [
  ...upTo(4).map(() => attack("guest-hostile", ATTACKS)),
  ...upTo(4).map(() => attack("probe", [["flood", 900], ["flood", 100_000], ["regret"]])),
];
process.on("message", async () => {
  over = true;
  await Promise.all(attackers);
  process.send(attacks);
});
process.on("disconnect", () => process.exit());
process.send("ready");

// One attack on one limit, again and again from "go" until "stop"; then says what the attacker was told.
import { setPriority } from "node:os";
import { attacks } from "./attacks.mjs";

// Attackers sit on machines of their own: what this process itself needs of the processors is not to be what is measured.
setPriority(19);

const name = process.argv[2];
const attack = attacks[name];
let over = false;
const told = new Map();
const note = (said) => {
  const text = typeof said === "string" ? said : JSON.stringify(said);
  told.set(text, (told.get(text) ?? 0) + 1);
};
const state = await attack.prepare(`/${name}/socket.io/`, note);
let attacking;
async function rage() {
  while (!over) await attack.turn(state, note);
}
process.on("message", async (message) => {
  if (message === "go") {
    attacking = rage();
  } else {
    over = true;
    await attacking;
    const said = [...told.keys()].find((text) => attack.expects.test(text)) ?? [...told.keys()].slice(0, 5).join(" | ");
    process.send({ ok: attack.expects.test(said), said: said.slice(0, 200) });
  }
});
process.on("disconnect", () => process.exit());
process.send("ready");

// The app that `wakeline new` makes: one says hello and is answered, the others are told.
import { assert, call, connected, leave, once } from "./lib.mjs";

const [ann, bob] = await Promise.all([connected(), connected()]);
const told = once(bob, "greeting");
assert.equal(await call(ann, "hello", "Ann"), "Hello, Ann!");
assert.equal((await told)[0], "Ann");
leave();
process.exit(0);

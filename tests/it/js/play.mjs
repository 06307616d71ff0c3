// node play.mjs MODULE SCENARIO: runs one scenario of scenarios/MODULE.mjs.
import { leave } from "./lib.mjs";

const [module, name] = process.argv.slice(2);
const scenario = (await import(`./scenarios/${module}.mjs`))[name];
if (!scenario) throw new Error(`scenarios/${module}.mjs has no ${name}`);
try {
  await scenario();
  leave();
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}

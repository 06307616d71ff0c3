// node suite.mjs SUITE CASE: one case of suites/SUITE.mjs, written after what the official protocol suites check.
const [suite, name] = process.argv.slice(2);
const run = (await import(`./suites/${suite}.mjs`))[name];
if (!run) throw new Error(`suites/${suite}.mjs has no ${name}`);
await run();
process.exit(0);

// The browser's client that a host brings is npm's, byte by byte, with the head that the reference server gives it.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";

const { WAKELINE_URL: url } = process.env;
const npm = "node_modules/socket.io-client";
const { version } = JSON.parse(readFileSync(`${npm}/package.json`, "utf8"));
// The client of another parser, which the host does not speak.
const names = readdirSync(`${npm}/dist`).filter((name) => !name.includes("msgpack"));
assert.ok(names.includes("socket.io.min.js"));

for (const name of names) {
  const file = readFileSync(`${npm}/dist/${name}`);
  for (const encoding of ["gzip", "identity"]) {
    const answer = await fetch(`${url}/socket.io/${name}`, { headers: { "accept-encoding": encoding } });
    assert.equal(answer.status, 200, name);
    assert.equal(answer.headers.get("content-encoding"), encoding === "gzip" ? "gzip" : null);
    assert.equal(answer.headers.get("etag"), `"${version}"`);
    assert.equal(answer.headers.get("cache-control"), "public, max-age=0");
    const type = name.endsWith(".map") ? "application/json" : "application/javascript";
    assert.equal(answer.headers.get("content-type"), `${type}; charset=utf-8`);
    // Compared as buffers, whose difference nobody wants to read.
    const same = file.equals(Buffer.from(await answer.arrayBuffer()));
    assert.ok(same, `${name} is not that of socket.io-client ${version}: run cargo xtask client`);
  }
  const known = await fetch(`${url}/socket.io/${name}`, { headers: { "if-none-match": `W/"${version}"` } });
  assert.equal(known.status, 304);
}
process.exit(0);

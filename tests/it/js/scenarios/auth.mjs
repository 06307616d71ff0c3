// Apps that know their clients. The issuer is this script: it makes keys, publishes them through the test, signs tokens.
import { createSign, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { ask, assert, call, client, connected, cutOff, once } from "../lib.mjs";

const issuer = "https://id.example";
const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);
const claims = (more = {}) => ({ iss: issuer, aud: "probe", sub: "ann", exp: now() + 600, ...more });

const kinds = {
  RS256: {
    pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    sign: (message, key) => createSign("RSA-SHA256").update(message).sign(key),
  },
  ES256: {
    pair: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    sign: (message, key) => sign("sha256", message, { key, dsaEncoding: "ieee-p1363" }),
  },
  EdDSA: { pair: () => generateKeyPairSync("ed25519"), sign: (message, key) => sign(null, message, key) },
};

class Key {
  constructor(alg, kid) {
    Object.assign(this, { alg, kid }, kinds[alg].pair());
  }

  get jwk() {
    return { ...this.publicKey.export({ format: "jwk" }), kid: this.kid, use: "sig", alg: this.alg };
  }

  token(payload = claims(), head = {}) {
    const message = `${encode({ alg: this.alg, kid: this.kid, ...head })}.${encode(payload)}`;
    return `${message}.${kinds[this.alg].sign(Buffer.from(message), this.privateKey).toString("base64url")}`;
  }
}

const publish = (...keys) => ask(`publish ${JSON.stringify({ keys: keys.map((key) => key.jwk) })}`);
const joined = (token, options) => connected({ auth: { token }, ...options });

async function refused(token, options) {
  const socket = client({ auth: token === undefined ? {} : { token }, reconnection: false, ...options });
  const [error] = await once(socket, "connect_error");
  return error;
}

export async function tokens_of_published_keys_are_taken_and_reach_the_handler() {
  const keys = Object.keys(kinds).map((alg) => new Key(alg, `${alg}-1`));
  await publish(...keys);
  for (const key of keys) {
    const payload = claims({ role: "admin", nested: { a: [1] } });
    const socket = client({ auth: { token: key.token(payload) } });
    const [seen] = await once(socket, "claims");
    assert.deepEqual(seen, payload, key.alg);
  }
}

export async function what_is_no_good_token_is_refused_with_a_code_that_says_why() {
  const [key, stranger] = [new Key("ES256", "a"), new Key("ES256", "a")];
  await publish(key);
  const [head, body, signature] = key.token().split(".");
  const none = `${encode({ alg: "none", typ: "JWT" })}.${encode(claims())}.`;
  const secret = randomBytes(32);
  const cases = [
    [undefined, "unauthorised", /needed/],
    ["nonsense", "unauthorised", /no JSON Web Token/],
    [none, "unauthorised", /algorithm/],
    [`${none}${secret.toString("base64url")}`, "unauthorised", /algorithm/],
    [stranger.token(), "unauthorised", /signature/],
    [`${head}.${encode(claims({ sub: "eve" }))}.${signature}`, "unauthorised", /signature/],
    [`${head}.${body}.`, "unauthorised", /signature/],
    [key.token(claims({ exp: now() - 60 })), "token_expired", /expired/],
    [key.token(claims({ exp: undefined })), "unauthorised", /expiry/],
    [key.token(claims({ nbf: now() + 600 })), "unauthorised", /not valid yet/],
    [key.token(claims({ iss: "https://evil.example" })), "unauthorised", /issuer/],
    [key.token(claims({ aud: "mail" })), "unauthorised", /audience/],
  ];
  for (const [token, code, message] of cases) {
    const error = await refused(token);
    assert.equal(error.data.code, code, `${token}`);
    assert.match(error.message, message);
  }
  await joined(key.token());
}

export async function a_token_that_ends_is_renewed_or_ends_the_socket() {
  const key = new Key("EdDSA", "a");
  await publish(key);
  // Long enough to join and to renew on a machine that has much else to do.
  const short = () => key.token(claims({ exp: now() + 12 }));
  const [ann, bob] = await Promise.all([joined(short()), joined(short())]);
  const renewed = await call(ann, "wakeline:auth", key.token(claims({ exp: now() + 600 })));
  assert.equal(renewed.ok, true);
  assert.ok(renewed.expires_at > now() + 500);
  const other = await call(ann, "wakeline:auth", key.token(claims({ sub: "eve" })));
  assert.equal(other.error.code, "unauthorised");
  const left = once(bob, "disconnect");
  // Until its right to speak is over, which nothing announces but the refusal itself.
  let answer;
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await call(bob, "echo", 1);
  } while (answer === 1);
  assert.equal(answer.error.code, "token_expired");
  assert.equal((await left)[0], "io server disconnect");
  assert.equal(await call(ann, "echo", 2), 2);
}

export async function recovery_needs_a_token_about_the_same_subject() {
  const key = new Key("ES256", "a");
  await publish(key);
  const socket = await joined(key.token(), { through: process.env.PROXY_URL });
  const id = socket.id;
  const back = async (payload) => {
    socket.auth = { token: key.token(payload) };
    await cutOff(socket);
  };
  await back(claims({ exp: now() + 30 }));
  assert.deepEqual([socket.recovered, socket.id], [true, id]);
  await back(claims({ sub: "eve" }));
  assert.equal(socket.recovered, false);
  assert.notEqual(socket.id, id);
}

export async function a_key_that_is_new_is_fetched() {
  const [old, next] = [new Key("ES256", "old"), new Key("ES256", "new")];
  await publish(old);
  await joined(old.token());
  await publish(old, next);
  // Asked for at most every ten seconds: until then the key is unknown, and that is told later and later.
  let socket;
  do {
    socket = client({ auth: { token: next.token() }, reconnection: false });
    const outcome = await Promise.race([once(socket, "connect").then(() => null), once(socket, "connect_error")]);
    if (!outcome) break;
    assert.match(outcome[0].message, /key that this app does not know/);
  } while (true);
}

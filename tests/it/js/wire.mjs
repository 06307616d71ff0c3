// Raw fetch and raw WebSockets, no client library.
import assert from "node:assert/strict";
import WebSocket from "ws";

const { WAKELINE_URL: url, PING_INTERVAL, PING_TIMEOUT } = process.env;

export { assert };

// A wire of one kind ("engine.io" or "socket.io").
export const wire = (kind) => ({
  at: (query) => `${url}/${kind}/?${new URLSearchParams(query)}`,
  get(query, options) {
    return fetch(this.at({ EIO: 4, transport: "polling", ...query }), options);
  },
  post(sid, body) {
    return this.get({ sid }, { method: "POST", body });
  },
  async poll(sid) {
    const response = await this.get({ sid });
    return [response.status, await response.text()];
  },
  async open() {
    const text = await (await this.get()).text();
    return JSON.parse(text.slice(1)).sid;
  },
  socket(query = {}) {
    return new Frames(this.at({ EIO: 4, transport: "websocket", ...query }).replace("http", "ws"));
  },
});

// A WebSocket whose frames are awaited one by one; a close is the last.
export class Frames {
  #queue = [];
  #wake = () => {};

  constructor(address) {
    this.ws = new WebSocket(address);
    this.ws.on("message", (data, binary) => this.#push(binary ? Buffer.from(data) : data.toString()));
    this.ws.on("close", (code) => this.#push({ closed: code }));
    this.ws.on("error", () => {});
  }

  #push(frame) {
    this.#queue.push(frame);
    this.#wake();
  }

  send(frame) {
    this.ws.send(frame);
  }

  async next() {
    if (this.#queue.length === 0) await new Promise((resolve) => (this.#wake = resolve));
    return this.#queue.shift();
  }

  // The next frame that is not a ping.
  async packet() {
    const frame = await this.next();
    return frame === "2" ? this.packet() : frame;
  }

  async opened() {
    if (this.ws.readyState !== WebSocket.OPEN) await new Promise((resolve) => this.ws.once("open", resolve));
  }

  // Reads on until the socket closes.
  async closes() {
    for (let frame = await this.next(); ; frame = await this.next()) if (frame.closed !== undefined) return frame.closed;
  }
}

export function checkOpen(text, upgrades) {
  assert.equal(text[0], "0");
  const { sid, ...rest } = JSON.parse(text.slice(1));
  assert.equal(typeof sid, "string");
  assert.deepEqual(rest, {
    upgrades,
    pingInterval: Number(PING_INTERVAL),
    pingTimeout: Number(PING_TIMEOUT),
    maxPayload: 1_000_000,
  });
}

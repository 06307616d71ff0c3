// What happened, for the checker: all of it, judged by nobody here. Times are milliseconds of one clock.
export class History {
  accepted = 0;
  disconnects = 0;
  #started = performance.now();
  #said = [];
  #clients = [];
  #errors = new Map();

  now() {
    return Math.round((performance.now() - this.#started) * 1000) / 1000;
  }

  client(number, rooms) {
    const client = new ClientLog(this, number, rooms);
    this.#clients.push(client);
    return client;
  }

  // Something is said: accepted, or of unknown fate, in the end.
  say(id, room) {
    const entry = { id, room, at: this.now(), outcome: "outstanding" };
    this.#said.push(entry);
    return {
      accepted: () => {
        this.accepted += 1;
        Object.assign(entry, { outcome: "accepted" });
      },
      unknown: (why) => Object.assign(entry, { outcome: "unknown", why }),
      get outcome() {
        return entry.outcome;
      },
    };
  }

  count(what) {
    this.#errors.set(what, (this.#errors.get(what) ?? 0) + 1);
    return `${Math.round(this.now())} ${what}`;
  }

  errors() {
    return { errors: Object.fromEntries(this.#errors) };
  }

  report(marks) {
    return {
      said: this.#said,
      clients: this.#clients.map((client) => client.report()),
      marks: Object.fromEntries(marks),
      ...this.errors(),
    };
  }
}

class ClientLog {
  #history;
  #heard = new Set();
  #data;

  constructor(history, number, rooms) {
    this.#history = history;
    this.#data = { number, rooms, lives: [], away: [], orphans: 0, diary: [] };
  }

  get #life() {
    return this.#data.lives.at(-1);
  }

  // A new life, or the old one goes on.
  connect(sid, recovered) {
    const { lives, away, diary } = this.#data;
    diary.push(`${Math.round(this.#history.now())} ${recovered ? "recovered" : "connected anew"} as ${sid}`);
    if (away.length && away.at(-1).back === undefined) away.at(-1).back = this.#history.now();
    if (recovered && lives.length) return this.#life.sids.push(sid);
    lives.push({ sids: [sid], claimed: recovered, joined: null, heard: [] });
  }

  joined() {
    this.#life.joined ??= this.#history.now();
  }

  receive(id, offset) {
    this.#heard.add(id);
    // What is replayed comes before the "connect": it belongs to the life that goes on.
    if (this.#life) this.#life.heard.push([id, offset ?? ""]);
    else this.#data.orphans += 1;
  }

  has(id) {
    return this.#heard.has(id);
  }

  disconnect(reason, details) {
    this.#history.disconnects += 1;
    const entry = this.#history.count(`disconnect: ${reason}${answerOf(details)}`);
    this.#data.diary.push(entry);
    this.#data.away.push({ from: this.#history.now(), reason });
  }

  stay() {
    this.#data.diary.push(this.#history.count("upgrade failed: stays with polling"));
  }

  error(error) {
    this.#data.diary.push(this.#history.count(`connect_error: ${error.message}${answerOf(error)}`));
  }

  whoami(answer) {
    this.#data.whoami = answer;
  }

  report() {
    return this.#data;
  }
}

// What the server said, where a poll or a post failed: `description` is the status, `context` the request.
function answerOf({ description, context } = {}) {
  const status = typeof description === "number" ? ` ${description}` : "";
  const text = context?.responseText ? ` ${context.responseText.slice(0, 100).split("\r\n")[0]}` : "";
  return status + text;
}

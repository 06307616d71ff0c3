// Engine.IO v4, at the raw path: what is sent comes back. Also the part that Socket.IO's suite repeats.
import { once } from "node:events";
import http from "node:http";
import { assert, checkOpen, wire } from "../wire.mjs";

export const suiteOf = (kind) => {
  const on = wire(kind);

  const upgraded = async () => {
    const sid = await on.open();
    const socket = on.socket({ sid });
    await socket.opened();
    socket.send("2probe");
    assert.equal(await socket.next(), "3probe");
    socket.send("5");
    return { sid, socket };
  };

  return {
    on,
    upgraded,

    async polling_opens_a_session() {
      const response = await on.get();
      assert.equal(response.status, 200);
      checkOpen(await response.text(), ["websocket"]);
    },
    async polling_refuses_a_wrong_version() {
      assert.equal((await fetch(on.at({ transport: "polling" }))).status, 400);
      assert.equal((await on.get({ EIO: "abc" })).status, 400);
    },
    async polling_refuses_a_wrong_transport() {
      assert.equal((await fetch(on.at({ EIO: 4 }))).status, 400);
      assert.equal((await on.get({ transport: "abc" })).status, 400);
    },
    async polling_refuses_a_wrong_method() {
      assert.equal((await on.get({}, { method: "POST" })).status, 400);
      assert.equal((await on.get({}, { method: "PUT" })).status, 400);
    },
    async websocket_opens_a_session() {
      const socket = on.socket();
      checkOpen(await socket.next(), []);
    },
    async websocket_refuses_a_wrong_version() {
      await on.socket({ EIO: "abc" }).closes();
      await on.socket({ EIO: "" }).closes();
    },
    async websocket_refuses_a_wrong_transport() {
      await on.socket({ transport: "abc" }).closes();
      await on.socket({ transport: "" }).closes();
    },
    async polling_has_pings_and_takes_pongs() {
      const sid = await on.open();
      for (let beat = 0; beat < 3; beat += 1) {
        assert.deepEqual(await on.poll(sid), [200, "2"]);
        assert.equal((await on.post(sid, "3")).status, 200);
      }
    },
    async polling_closes_without_pongs() {
      const sid = await on.open();
      assert.deepEqual(await on.poll(sid), [200, "2"]);
      // Polls alone keep nobody alive.
      let status;
      do [status] = await on.poll(sid);
      while (status === 200);
      assert.equal(status, 400);
    },
    async websocket_has_pings_and_takes_pongs() {
      const socket = on.socket();
      await socket.next();
      for (let beat = 0; beat < 3; beat += 1) {
        assert.equal(await socket.next(), "2");
        socket.send("3");
      }
    },
    async websocket_closes_without_pongs() {
      await on.socket().closes();
    },
    async polling_closes_when_the_client_does() {
      // Which of the two the server sees first is the network's choice: again, until it is the poll.
      let sid, poll;
      do {
        sid = await on.open();
        [poll] = await Promise.all([on.poll(sid), on.post(sid, "1")]);
      } while (poll[0] === 400);
      assert.deepEqual(poll, [200, "6"]);
      assert.equal((await on.poll(sid))[0], 400);
    },
    async websocket_closes_when_the_client_does() {
      const socket = on.socket();
      await socket.next();
      socket.send("1");
      await socket.closes();
    },
    async a_poll_after_the_upgrade_is_refused() {
      const { sid } = await upgraded();
      // Until the upgrade has arrived there, polls are told to end.
      let status, packets;
      do [status, packets] = await on.poll(sid);
      while (packets === "6");
      assert.equal(status, 400);
    },
    async a_second_websocket_after_the_upgrade_is_closed() {
      const { sid } = await upgraded();
      await on.socket({ sid }).closes();
    },
  };
};

const { on, upgraded, ...common } = suiteOf("engine.io");

export const {
  polling_opens_a_session,
  polling_refuses_a_wrong_version,
  polling_refuses_a_wrong_transport,
  polling_refuses_a_wrong_method,
  websocket_opens_a_session,
  websocket_refuses_a_wrong_version,
  websocket_refuses_a_wrong_transport,
  polling_has_pings_and_takes_pongs,
  polling_closes_without_pongs,
  websocket_has_pings_and_takes_pongs,
  websocket_closes_without_pongs,
  polling_closes_when_the_client_does,
  websocket_closes_when_the_client_does,
  a_poll_after_the_upgrade_is_refused,
  a_second_websocket_after_the_upgrade_is_closed,
} = common;

const returns = async (payload) => {
  const sid = await on.open();
  const response = await on.post(sid, payload);
  assert.deepEqual([response.status, await response.text()], [200, "ok"]);
  assert.deepEqual(await on.poll(sid), [200, payload]);
};

export const polling_returns_a_text = () => returns("4hello");
export const polling_returns_several_texts = () => returns("4test1\x1e4test2\x1e4test3");
export const polling_returns_text_and_binary = () => returns("4hello\x1ebAQIDBA==");

export async function polling_closes_on_a_packet_that_is_none() {
  const sid = await on.open();
  await on.post(sid, "abc").catch(() => {});
  assert.equal((await on.poll(sid))[0], 400);
}

export async function polling_closes_on_two_polls_at_once() {
  const sid = await on.open();
  const [first, second] = await Promise.all([on.poll(sid), on.poll(sid)]);
  // Which of the two the server saw first is the network's choice.
  const [one, other] = first[0] === 200 ? [first, second] : [second, first];
  assert.deepEqual(one, [200, "1"]);
  assert.ok([400, 500].includes(other[0]));
  assert.equal((await on.poll(sid))[0], 400);
}

export async function polling_closes_on_a_poll_given_up() {
  const sid = await on.open();
  const poll = http.get(on.at({ EIO: 4, transport: "polling", sid }), { agent: false }).on("error", () => {});
  await once(poll, "finish");
  // It is on its way; when it has come nobody tells.
  await new Promise((resolve) => setTimeout(resolve, 100));
  poll.destroy();
  let status, packets;
  do {
    [status, packets] = await on.poll(sid);
    // This poll may overtake the end of that one, and be a second one at once.
    if (status === 200) assert.equal(packets, "1");
  } while (status === 200);
  assert.equal(status, 400);
}

export async function websocket_returns_a_text() {
  const socket = on.socket();
  await socket.next();
  socket.send("4hello");
  assert.equal(await socket.packet(), "4hello");
}

export async function websocket_returns_binary() {
  const socket = on.socket();
  await socket.next();
  socket.send(Buffer.from([1, 2, 3, 4]));
  assert.deepEqual(await socket.packet(), Buffer.from([1, 2, 3, 4]));
}

export async function websocket_closes_on_a_packet_that_is_none() {
  const socket = on.socket();
  await socket.next();
  socket.send("abc");
  await socket.closes();
}

export async function the_upgrade_ends_the_poll_with_a_noop() {
  const sid = await on.open();
  const socket = on.socket({ sid });
  await socket.opened();
  socket.send("2probe");
  assert.equal(await socket.next(), "3probe");
  assert.deepEqual(await on.poll(sid), [200, "6"]);
  socket.send("5");
  socket.send("4hello");
  assert.equal(await socket.packet(), "4hello");
}

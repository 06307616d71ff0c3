"""python3 play.py SCENARIO: one scenario with python-socketio, which knows nothing of recovery.

Apps: examples/bench at /bench/, examples/conformance at /conformance/.
"""

import json
import os
import queue
import sys

import socketio

URL = os.environ["WAKELINE_URL"]
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
# A guard against hanging.
SECONDS = 60


class Client:
    """A client whose events are awaited one by one."""

    def __init__(self, app, namespaces=("/",), auth=None, url=URL):
        self.events = queue.Queue()
        self.kept = []
        self.io = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.4)
        for namespace in namespaces:
            self.io.on("*", self._heard(namespace), namespace=namespace)
            for name in ("connect", "disconnect", "connect_error"):
                self.io.on(name, self._heard(namespace, name), namespace=namespace)
        try:
            self.io.connect(
                url,
                socketio_path=f"{app}/socket.io",
                transports=TRANSPORTS[os.environ["TRANSPORT"]],
                namespaces=list(namespaces),
                auth=auth,
                wait_timeout=SECONDS,
            )
        except socketio.exceptions.ConnectionError as error:
            # The library words it for all namespaces together; the server's words came as an event.
            raise ConnectionRefusedError(list(self.events.queue)) from error

    def _heard(self, namespace, name=None):
        if name:
            return lambda *args: self.events.put((namespace, name, args))
        return lambda event, *args: self.events.put((namespace, event, args))

    def next(self, name, namespace="/"):
        """The arguments of the next such event; others are kept: the library handles messages on threads, so that
        two of one payload may change places."""
        while True:
            for index, (where, event, args) in enumerate(self.kept):
                if (where, event) == (namespace, name):
                    del self.kept[index]
                    return args
            self.kept.append(self.events.get(timeout=SECONDS))

    def call(self, event, *args, namespace="/"):
        return self.io.call(event, args, namespace=namespace, timeout=SECONDS)


def ask(what):
    """Has the test do something to the world."""
    print(json.dumps({"ask": what}), flush=True)
    sys.stdin.readline()


def acks_answer_with_what_was_sent():
    client = Client("bench")
    for value in [None, True, 7, -1.5, "κόσμε 🦀", [], {}, {"a": [1, {"b": None}]}]:
        assert client.call("echo", value) == value
    client.io.disconnect()


def binary_arguments_travel_both_ways():
    client = Client("bench")
    image = bytes(range(256))
    assert client.call("echo", image) == image
    assert client.call("echo", {"a": [image, {"b": b""}]}) == {"a": [image, {"b": b""}]}
    client.io.disconnect()


def the_app_knows_the_client_by_its_id():
    client = Client("bench")
    who = client.call("whoami")
    assert who["sid"] == client.io.get_sid(), who
    assert who["rooms"] == [client.io.get_sid()], who
    client.io.disconnect()


def rooms_deliver_in_order_to_their_members_only():
    anna, bert = Client("bench"), Client("bench")
    anna.call("join", "red")
    for number in range(100):
        bert.io.emit("say", ("red", number))
        # One at a time: the library takes no more than 16 packets of one poll, and may handle them in any order.
        assert anna.next("msg")[0] == number
    anna.call("leave", "red")
    bert.call("join", "red")
    bert.io.emit("say", ("red", "again"))
    assert bert.next("msg")[0] == "again"
    anna.call("echo", 0)
    assert "msg" not in [event for _, event, _ in anna.kept + list(anna.events.queue)]
    anna.io.disconnect()
    bert.io.disconnect()


def credentials_and_namespaces():
    client = Client("conformance", namespaces=("/", "/custom"), auth={"token": "123"})
    assert client.next("auth") == ({"token": "123"},)
    assert client.next("auth", "/custom") == ({"token": "123"},)
    client.io.emit("message", (1, {"2": [b"3"]}), namespace="/custom")
    assert client.next("message-back", "/custom") == (1, {"2": [b"3"]})
    assert client.call("message-with-ack", 1, "2") == (1, "2")
    client.io.disconnect()


def an_unknown_namespace_is_refused():
    try:
        Client("conformance", namespaces=("/nowhere",))
    except ConnectionRefusedError as error:
        assert "Invalid namespace" in str(error), error
    else:
        raise AssertionError("connected to a namespace that is none")


def heartbeats_keep_an_idle_client():
    """Pings come every 300 ms there."""
    client = Client("conformance")
    client.io.sleep(1.2)
    assert client.io.connected
    assert client.call("message-with-ack", "alive") == "alive"
    client.io.disconnect()


def p2_a_client_that_knows_nothing_of_recovery_returns_as_a_new_one():
    client = Client("bench", url=os.environ["PROXY_URL"])
    client.next("connect")
    before = client.io.get_sid()
    client.call("join", "red")
    ask("cut")
    client.next("disconnect")
    ask("heal")
    client.next("connect")
    assert client.io.get_sid() != before
    assert client.call("whoami")["rooms"] == [client.io.get_sid()]
    client.io.disconnect()


def p2_a_client_that_knows_nothing_of_recovery_comes_back_by_its_token():
    client = Client("bench", url=os.environ["PROXY_URL"], auth={"seat": "a secret of its own"})
    client.next("connect")
    before = client.io.get_sid()
    client.call("join", "red")
    client.call("set", {"name": "Ann"})
    speaker = Client("bench")
    ask("cut")
    client.next("disconnect")
    speaker.io.emit("say", ("red", "missed"))
    speaker.call("echo", "said")
    ask("heal")
    client.next("connect")
    assert client.io.get_sid() == before
    assert client.next("msg")[0] == "missed"
    me = client.call("whoami")
    assert (sorted(me["rooms"]), me["state"]) == (sorted([before, "red"]), {"name": "Ann"})
    stranger = Client("bench", auth={"seat": "a secret of another"})
    assert stranger.call("whoami")["rooms"] == [stranger.io.get_sid()]
    for each in (client, speaker, stranger):
        each.io.disconnect()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    sys.stdout.flush()
    # Threads of a library must not decide how the scenario ends.
    os._exit(0)

"""The small chat of examples/bench on Flask-SocketIO, as its documentation deploys it: gunicorn with eventlet, one worker.

Several processes on one Redis (`REDIS`, its URL) need a proxy before them that sends a client always to the same one.
"""

import os

import eventlet

eventlet.monkey_patch()

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO, emit, join_room  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(app, async_mode="eventlet", message_queue=os.environ.get("REDIS"), cors_allowed_origins="*")


@app.get("/")
def ready():
    return "ready\n"


@socketio.on("echo")
def echo(message):
    return message


@socketio.on("join")
def join(room):
    join_room(room)


@socketio.on("say")
def say(room, message):
    emit("msg", message, to=room)

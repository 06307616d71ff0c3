"""Runs a command on a terminal of its own and types what it is told to: terminal.py TURNS COMMAND…

TURNS is JSON: what to wait for on the terminal, what to type then, and whether that must not be shown. Prints the exit
code and all that came, as JSON.
"""
import json
import os
import pty
import select
import sys
import termios
import time

DEADLINE = time.monotonic() + 120


def read(fd, said):
    """Takes what comes next; false at the end."""
    ready, _, _ = select.select([fd], [], [], max(0, DEADLINE - time.monotonic()))
    if not ready:
        sys.exit(f"nothing more came in time: {bytes(said)!r}")
    try:
        part = os.read(fd, 65536)
    except OSError:  # EIO: nobody holds the other end any more.
        part = b""
    said += part
    return bool(part)


def is_hidden(fd):
    return not termios.tcgetattr(fd)[3] & termios.ECHO


def main():
    turns, command = json.loads(sys.argv[1]), sys.argv[2:]
    child, fd = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    said, seen = bytearray(), 0
    for turn in turns:
        wait = turn["wait"].encode()
        while (at := said.find(wait, seen)) < 0:
            if not read(fd, said):
                break
        seen = at + len(wait)
        # The question stands there a moment before the terminal is told to show nothing.
        while turn.get("hidden") and not is_hidden(fd):
            if time.monotonic() > DEADLINE:
                sys.exit("what is typed would be shown")
            os.sched_yield()
        os.write(fd, turn["type"].encode() + b"\n")
    while read(fd, said):
        pass
    _, status = os.waitpid(child, 0)
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "said": said.decode(errors="replace")}))


main()

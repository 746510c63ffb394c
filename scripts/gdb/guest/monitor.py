"""QEMU's monitor, by a socket of its own.

GDB's own `monitor` goes through the connection to the machine, where each line of an answer is a packet that GDB
confirms at once. QEMU reads no confirmation before the answer is complete, and a Unix socket holds some 278 of them: at
a longer answer, such as that of `info tlb`, each waits for the other for ever.
"""

import json
import socket


class MonitorError(Exception):
    """What was wrong, in words."""


def ask(path, command):
    """Returns what the monitor whose control socket is `path` answers to `command`, in the words that people type."""
    try:
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rw", encoding="utf-8") as stream:
            connection.connect(path)
            _execute(stream, "qmp_capabilities", {})
            answer = _execute(stream, "human-monitor-command", {"command-line": command})
    except OSError as error:
        words = f"{path}: {error.strerror}: the machine is gone, or was not started by make debug"
        raise MonitorError(words) from error
    return answer.replace("\r\n", "\n")


def _execute(stream, name, arguments):
    stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
    stream.flush()
    for line in stream:
        message = json.loads(line)
        if "error" in message:
            raise MonitorError(message["error"]["desc"])
        if "return" in message:
            return message["return"]
        # A greeting, or something that happened meanwhile.
    return ""  # the command ended the machine

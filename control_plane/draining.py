"""What the end of a service owes its clients: who got a connection gets an answer.

A listening socket that is closed resets connections that the kernel has made and nobody has taken yet. So before that
no new one may begin, while those on their way come through: a filter on the socket drops SYN packets.
"""

import ctypes
import logging
import os
import select
import socket
import struct
import sys

log = logging.getLogger(__name__)

_SO_ATTACH_FILTER = 26
_PASS, _DROP = 0xFFFFFFFF, 0
# Classic BPF; on a TCP socket a packet begins with its TCP header, whose byte 13 holds the flags.
_PROGRAM = (
    (0x30, 0, 0, 13),  # load that byte
    (0x54, 0, 0, 0x12),  # of it SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone begins a connection
    (0x06, 0, 0, _DROP),
    (0x06, 0, 0, _PASS),
)


class Ending:
    """Whether a service is being ended; known to all its parts."""

    begun = False


def let_no_new_one_begin(listener: socket.socket) -> bool:
    """Connections that have not begun yet find nobody there, and try again; False where that cannot be arranged."""
    if not sys.platform.startswith("linux"):
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _PROGRAM))
    filter_ = struct.pack("HP", len(_PROGRAM), ctypes.addressof(program))
    try:
        with socket.socket(fileno=os.dup(listener.fileno())) as same:  # the loop's own object has no options
            same.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
    except OSError as error:
        log.warning("connections that begin just now may be lost", extra={"cause": str(error)})
        return False
    return True


def has_unread(descriptor: int) -> bool:
    """Whether something waits to be read there, or a connection to be taken."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))

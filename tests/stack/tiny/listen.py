"""Listen at the ports that are given, on all addresses, and take connections without a word."""

import socket
import sys
import threading


def take(listener: socket.socket) -> None:
    while True:
        listener.accept()[0].close()


for word in sys.argv[1:]:
    if word.isdigit():
        threading.Thread(target=take, args=(socket.create_server(("", int(word))),)).start()

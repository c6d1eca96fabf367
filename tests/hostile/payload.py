"""What hostile code tries once it runs; it says on a line of its own what it managed."""

import json

PAYLOAD = """
import json, os, socket, subprocess, sys
port, token, marker, pid = sys.argv[1:5]
done = {}
def attempt(name, work):
    try:
        done[name] = bool(work())
    except Exception:
        done[name] = False
def write():
    with open(marker, "w") as file:
        file.write("here")
    return True
attempt("connect", lambda: socket.create_connection(("127.0.0.1", int(port)), 2))
attempt("token", lambda: open(token).read())
attempt("marker", write)
attempt("kill", lambda: os.kill(int(pid), 0) is None)
attempt("secrets", lambda: [name for name in os.environ if name.startswith(("DATABASE", "WEEDWATCH"))])
print("TRIED " + json.dumps(done), flush=True)
"""
"""Arguments: a port that somebody listens on, a secret file, a file to make, a process that is not its own."""


def tried(said: str) -> dict[str, bool]:
    line = next(line for line in said.splitlines() if line.startswith("TRIED "))
    found: dict[str, bool] = json.loads(line.removeprefix("TRIED "))
    return found

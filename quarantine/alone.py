"""`python -m quarantine.alone`: ends well once this pod reaches nobody, and badly when it still does after a minute.

Kubernetes takes a NetworkPolicy from everybody and leaves it to the cluster's network to follow it; many do not, and
some only begin to a moment after a pod has started. Asked is the Kubernetes API, whose address each pod is told.
"""

import os
import socket
import sys
import time
from collections.abc import Mapping

PATIENCE_SECONDS = 60.0
TRY_SECONDS = 3.0
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


def reaches(host: str, port: int, seconds: float = TRY_SECONDS) -> bool:
    """Whether somebody takes a connection there. Networks that cut off refuse it, or let it wait for ever."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def main(environment: Mapping[str, str], patience: float = PATIENCE_SECONDS) -> int:
    if HOST not in environment:
        print(f"{HOST} is not set, so nobody can say whether this pod is cut off from the network.")
        return 1
    host, port = environment[HOST], int(environment.get(PORT, "443"))
    deadline = time.monotonic() + patience
    while reaches(host, port):
        if time.monotonic() > deadline:
            print(
                f"This pod reaches {host}:{port}: the cluster's network does not follow the NetworkPolicy "
                "`quarantine`, so nothing is checked here. Use a network that does (Calico, Cilium and others)."
            )
            return 1
        time.sleep(1)
    print("This pod reaches nobody.")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))

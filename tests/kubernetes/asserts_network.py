"""What must hold of the ways between pods: those that are closed, and those that are needed."""

from tests.kubernetes.network import (
    DATABASE,
    GRAFANA,
    INGRESS,
    NAMES,
    OPERATOR,
    PROMETHEUS,
    default_denies,
    end_of,
    ends,
    is_let_in,
    may,
)
from tests.kubernetes.rendered import BACKUP, CONTROL_PLANE, QUARANTINE, REDIS, TORCHSERVE, Objects, pods_named

TORCHSERVE_PORTS = (8080, 8081, 8082, 7070, 7071)
"""Its APIs, and gRPC, which it cannot switch off."""
ANY_PORTS = (22, 53, 80, 443, 5432, 6379, 6443, 8000, 8080, 8081, 8082, 9090, 9100)


def default_deny(objects: Objects) -> list[str]:
    return [] if default_denies(objects) else ["What no policy speaks of is not forbidden."]


def torchserve_is_closed(objects: Objects) -> list[str]:
    """Whoever reaches its management API can load code."""
    return [
        f"{sender.name} reaches TorchServe at {port}"
        for pod in pods_named(objects, TORCHSERVE)
        for sender in ends(objects)
        for port in TORCHSERVE_PORTS
        if sender.name != CONTROL_PLANE and is_let_in(objects, sender, end_of(pod), port)
    ]


def quarantine_is_alone(objects: Objects) -> list[str]:
    """It, and TorchServe, which runs what passed it, begin no connection; nobody begins one to the quarantine."""
    own = [end_of(pod) for pod in pods_named(objects, QUARANTINE)]
    silent = [*own, *map(end_of, pods_named(objects, TORCHSERVE))]
    return [
        f"{sender.name} reaches {receiver.name} at {port}"
        for sender in ends(objects)
        for receiver in ends(objects)
        for port in ANY_PORTS
        if sender != receiver
        and (any(each.name == sender.name for each in silent) or any(each.name == receiver.name for each in own))
        and may(objects, sender, receiver, port)
    ]


def data_is_closed(objects: Objects) -> list[str]:
    """PostgreSQL and Redis answer those who need them."""
    (redis,) = map(end_of, pods_named(objects, REDIS))
    wanted = {
        5432: (DATABASE, {CONTROL_PLANE, BACKUP, DATABASE.name, GRAFANA.name, OPERATOR.name}),
        6379: (redis, {CONTROL_PLANE}),
    }
    return [
        f"{sender.name} reaches {receiver.name} at {port}"
        for port, (receiver, allowed) in wanted.items()
        for sender in ends(objects)
        if sender.name not in allowed and is_let_in(objects, sender, receiver, port)
    ]


def doors_are_closed(objects: Objects) -> list[str]:
    """From elsewhere only the ingress reaches the service, and only Prometheus the metrics."""
    wanted = {8000: {INGRESS.name}, 9100: {PROMETHEUS.name}}
    return [
        f"{sender.name} reaches the control plane at {port}"
        for pod in pods_named(objects, CONTROL_PLANE)
        for port, allowed in wanted.items()
        for sender in ends(objects)
        if sender.name not in allowed and is_let_in(objects, sender, end_of(pod), port)
    ]


def needed_ways_are_open(objects: Objects) -> list[str]:
    (control_plane,) = map(end_of, pods_named(objects, CONTROL_PLANE))
    (torchserve,) = map(end_of, pods_named(objects, TORCHSERVE))
    (redis,) = map(end_of, pods_named(objects, REDIS))
    backup, *_ = map(end_of, pods_named(objects, BACKUP))
    wanted = (
        *((control_plane, torchserve, port) for port in (8080, 8081, 8082)),
        (control_plane, redis, 6379),
        (control_plane, DATABASE, 5432),
        (control_plane, NAMES, 53),
        (backup, DATABASE, 5432),
        (backup, NAMES, 53),
        (DATABASE, DATABASE, 5432),
        (OPERATOR, DATABASE, 8000),
        (GRAFANA, DATABASE, 5432),
        (INGRESS, control_plane, 8000),
        (PROMETHEUS, control_plane, 9100),
    )
    return [
        f"{sender.name} does not reach {receiver.name} at {port}"
        for sender, receiver, port in wanted
        if not may(objects, sender, receiver, port)
    ]

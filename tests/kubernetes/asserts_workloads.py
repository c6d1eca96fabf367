"""What must hold of the pods: their selectors, probes, limits, images, rights, their end, and how many there are."""

import re
from decimal import Decimal

from control_plane.__main__ import GRACEFUL_SECONDS
from control_plane.settings import Settings
from tests.kubernetes.rendered import (
    COMPONENT,
    CONTROL_PLANE,
    TORCHSERVE,
    Object,
    Objects,
    Pod,
    find,
    matches,
    name_of,
    of_kind,
    pods,
    pods_named,
    replicas,
    settings,
)

USER = 10001
OTHERS_USERS = {"redis": 999}
"""Images that are not ours have users of their own."""
CLOSING_SECONDS = 5
_IMAGE = re.compile(r"(?P<name>[a-z0-9./_-]+(:\d+/[a-z0-9./_-]+)?):(?P<tag>[A-Za-z0-9_.-]+)(@sha256:[0-9a-f]{64})?")
_UNITS: dict[str, Decimal | int] = {"": 1, "m": Decimal("0.001"), "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def selectors(objects: Objects) -> list[str]:
    """A workload's selector takes its own pods, and no other takes them too."""
    found = []
    for owner in of_kind(objects, "Deployment", "StatefulSet"):
        taken = [pod for pod in pods(objects) if matches(owner["spec"]["selector"], pod.labels)]
        others = [pod.name for pod in taken if pod.owner is not owner]
        if len(taken) == len(others):
            found.append(f"{name_of(owner)} does not select its own pods")
        if others:
            found.append(f"{name_of(owner)} selects pods of {', '.join(others)}")
    return found


def services(objects: Objects) -> list[str]:
    """Each Service finds pods that have its ports; each StatefulSet gets its names from one without an address."""
    found = []
    for service in of_kind(objects, "Service"):
        behind = [pod for pod in pods(objects) if matches({"matchLabels": service["spec"]["selector"]}, pod.labels)]
        if not behind:
            found.append(f"{name_of(service)} finds no pods")
        found += [
            f"{name_of(service)}: {pod.name} has no port {port['targetPort']}"
            for pod in behind
            for port in service["spec"]["ports"]
            if port_of(pod, port["targetPort"]) is None
        ]
    for owner in of_kind(objects, "StatefulSet"):
        try:
            service = find(objects, "Service", owner["spec"]["serviceName"])
        except LookupError as problem:
            found.append(f"{name_of(owner)}: {problem}")
            continue
        labels = owner["spec"]["template"]["metadata"]["labels"]
        if service["spec"].get("clusterIP") != "None" or not matches(
            {"matchLabels": service["spec"]["selector"]}, labels
        ):
            found.append(f"{name_of(owner)} gets no names from {name_of(service)}")
    return found


def port_of(pod: Pod, port: str | int) -> int | None:
    """The number of a container's port by name or number; None: there is none."""
    for container in pod.spec["containers"]:
        for each in container.get("ports", ()):
            if port in (each.get("name"), each["containerPort"]):
                return int(each["containerPort"])
    return None


def probes(objects: Objects) -> list[str]:
    """All that lasts is probed; the control plane by its own two, and nobody by what watches."""
    found = []
    for pod in filter(lambda pod: pod.lasts, pods(objects)):
        for kind in ("livenessProbe", "readinessProbe"):
            probe = pod.main.get(kind)
            if probe is None:
                found.append(f"{pod.name} has no {kind}")
            elif port := probe.get("httpGet", probe.get("tcpSocket", {})).get("port"):
                found += [] if port_of(pod, port) else [f"{pod.name}: its {kind} asks the port {port}, which it lacks"]
    wanted = {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
    for pod in pods_named(objects, CONTROL_PLANE):
        for kind, path in wanted.items():
            asked = pod.main.get(kind, {}).get("httpGet", {}).get("path")
            if kind in pod.main and asked != path:
                found.append(f"{pod.name}: its {kind} asks {asked}, not {path}")
    return found + [
        f"{pod.name} is ready without a worker"
        for pod in pods_named(objects, TORCHSERVE)
        if "readinessProbe" in pod.main
        and "loaded" not in pod.main["readinessProbe"].get("exec", {}).get("command", ())
    ]


def limits(objects: Objects) -> list[str]:
    """Each container says what it needs and what it may have, and may have what it needs."""
    found = []
    for pod in pods(objects):
        for container in pod.containers:
            given = container.get("resources", {})
            for what in ("cpu", "memory"):
                needs, may = given.get("requests", {}).get(what), given.get("limits", {}).get(what)
                if needs is None or may is None:
                    found.append(f"{pod.name}, {container['name']}: no request or no limit of {what}")
                elif quantity(needs) > quantity(may):
                    found.append(f"{pod.name}, {container['name']}: it needs more {what} than it may have")
    return found


def quantity(text: str) -> Decimal:
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()  # type: ignore[union-attr]
    return Decimal(number) * _UNITS[unit]


def images(objects: Objects) -> list[str]:
    """Each by an exact tag, and all of ours by the same."""
    found, own = [], set()
    for pod in pods(objects):
        for container in pod.containers:
            image = _IMAGE.fullmatch(container["image"])
            if image is None or image["tag"] == "latest":
                found.append(f"{pod.name}: the image {container['image']} is not pinned")
            elif "weedwatch/" in image["name"]:
                own.add(image["tag"].removesuffix("-cuda"))
    if len(own) > 1:
        found.append(f"images of ours have the tags {', '.join(sorted(own))}")
    for cluster in of_kind(objects, "Cluster"):
        if not (image := _IMAGE.fullmatch(cluster["spec"]["imageName"])) or image["tag"] == "latest":
            found.append(f"{name_of(cluster)}: the image {cluster['spec']['imageName']} is not pinned")
    return found


def rights(objects: Objects) -> list[str]:
    """No root, no writable root, no capability, no way to more, no token of the Kubernetes API."""
    found = []
    for pod in pods(objects):
        context = pod.spec.get("securityContext", {})
        wanted_user = OTHERS_USERS.get(pod.component, USER)
        wanted = {"runAsNonRoot": True, "runAsUser": wanted_user, "seccompProfile": {"type": "RuntimeDefault"}}
        found += [f"{pod.name}: {key} is not {value}" for key, value in wanted.items() if context.get(key) != value]
        if pod.spec.get("automountServiceAccountToken") is not False:
            found.append(f"{pod.name} gets a token of the Kubernetes API")
        found += [f"{pod.name} shares the {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(key)]
        found += [f"{pod.name} mounts {each['name']} of its node" for each in pod.spec["volumes"] if "hostPath" in each]
        for container in pod.containers:
            found += [f"{pod.name}, {container['name']}: {problem}" for problem in _excess(container)]
    return found


def _excess(container: Object) -> list[str]:
    context = container.get("securityContext", {})
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    odd = [f"{key} is not {value}" for key, value in wanted.items() if context.get(key) != value]
    return odd + [f"{key} is set" for key in ("privileged", "runAsUser") if context.get(key)]


def ends_in_time(objects: Objects) -> list[str]:
    """Who is asked to end has time for what is under way, and the control plane leaves its Service before that."""
    found = []
    for pod in pods_named(objects, CONTROL_PLANE):
        sleep = pod.main.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = sleep + GRACEFUL_SECONDS + CLOSING_SECONDS
        if not sleep:
            found.append(f"{pod.name} ends while requests are still sent to it")
        if pod.spec["terminationGracePeriodSeconds"] < needed:
            found.append(f"{pod.name} is killed before the {needed} s that its end may take")
    call = float(settings(objects).get("WEEDWATCH_WORKER_TIMEOUT_SECONDS", _default("worker_timeout_seconds")))
    found += [
        f"{pod.name} is killed while calls are under way ({call:g} s)"
        for pod in pods_named(objects, TORCHSERVE)
        if pod.spec["terminationGracePeriodSeconds"] < call
    ]
    return found


def _default(name: str) -> float:
    return float(Settings.model_fields[name].default)


def budgets(objects: Objects) -> list[str]:
    """A budget takes pods, and of these one may always go: otherwise no node can be drained."""
    found = []
    for budget in of_kind(objects, "PodDisruptionBudget"):
        taken = [pod for pod in pods(objects) if matches(budget["spec"]["selector"], pod.labels)]
        if not taken:
            found.append(f"{name_of(budget)} is about no pod")
        for pod in taken:
            least, _ = replicas(objects, pod.owner)
            stay = budget["spec"].get("minAvailable", least - budget["spec"].get("maxUnavailable", 0))
            if not 0 < stay < least:
                found.append(f"{name_of(budget)}: of {least} pods of {pod.name} {stay} must stay")
    several = [pod for pod in pods(objects) if pod.lasts and _is_replicated(objects, pod)]
    for pod in several:
        spread = pod.spec.get("topologySpreadConstraints", ())
        own = [each for each in spread if each["labelSelector"]["matchLabels"].get(COMPONENT) == pod.component]
        if not any(each["topologyKey"] == "kubernetes.io/hostname" for each in own):
            found.append(f"{pod.name}: its replicas may all be on one node")
    return found


def _is_replicated(objects: Objects, pod: Pod) -> bool:
    return replicas(objects, pod.owner)[1] > 1


def updates(objects: Objects) -> list[str]:
    """One after the other where there are several, each proven before the next; what must be alone is never twice."""
    found = []
    for owner in of_kind(objects, "StatefulSet"):
        if owner["spec"].get("updateStrategy", {}).get("type", "RollingUpdate") != "RollingUpdate":
            found.append(f"{name_of(owner)} is not updated by itself")
        if not owner["spec"].get("minReadySeconds"):
            found.append(f"{name_of(owner)}: the next one is replaced before the last has proven itself")
    for owner in of_kind(objects, "Deployment"):
        if owner["spec"]["strategy"]["type"] != "Recreate" or owner["spec"]["replicas"] != 1:
            found.append(f"{name_of(owner)} may be there twice")
    return found

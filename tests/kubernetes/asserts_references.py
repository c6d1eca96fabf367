"""What must hold of what refers to something else: settings, secrets, volumes, addresses, scaling, scraping."""

import os
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

from pydantic import ValidationError

from control_plane.secret_files import SUFFIX
from control_plane.settings import Settings, variable_names
from observability.kubernetes import adapter
from tests.kubernetes.asserts_workloads import port_of
from tests.kubernetes.rendered import (
    BACKUP,
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

SECRETS = {
    "weedwatch": {"admin_token", "key_secret", "limits_url", "redis_config"},
    "postgres-reader": {"username", "password"},
    "object-store": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
    # Others make these: CloudNativePG with the database, cert-manager for the ingress.
    "postgres-app": {"uri"},
    "weedwatch-tls": {"tls.crt", "tls.key"},
}
"""All that may be referred to; docs/kubernetes.md says how each comes to be."""
APIS = {"INFERENCE": 8080, "MANAGEMENT": 8081, "METRICS": 8082}
WRITABLE = ("WEEDWATCH_STATE_DIR", "WEEDWATCH_MODEL_STORE", "WEEDWATCH_QUARANTINE_DIR")
_SECRET_NAME = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\b(AKIA[0-9A-Z]{16}|ww_[A-Za-z0-9]{30,})"
)
_CLUSTER_WIDE = {"Namespace"}


def settings_are_right(objects: Objects) -> list[str]:
    """The control plane knows each variable, takes its value, and finds the files that it names."""
    said = settings(objects)
    known = {*variable_names(), *(f"{each}{SUFFIX}" for each in variable_names())}
    found = [f"the control plane knows no {name}" for name in sorted(said.keys() - known)]
    # Files of secrets are there in the cluster only.
    values = {name: value for name, value in said.items() if name in variable_names()}
    with mock.patch.dict(os.environ, {"DATABASE_URL": "postgresql://somewhere/weedwatch", **values}, clear=True):
        try:
            Settings()
        except ValidationError as problem:
            found += [f"{error['loc'][0]}: {error['msg']}" for error in problem.errors()]
    for name, path in said.items():
        for pod in pods_named(objects, CONTROL_PLANE):
            if name.endswith(SUFFIX) and path not in _secret_files(pod):
                found.append(f"{name}: no secret is mounted at {path}")
    return found


def _secret_files(pod: Pod) -> set[str]:
    volumes = {each["name"]: each for each in pod.spec["volumes"]}
    return {
        f"{mount['mountPath']}/{item['path']}"
        for mount in pod.main["volumeMounts"]
        for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", ())
    }


def references(objects: Objects) -> list[str]:
    """Each ConfigMap, secret, claim and account that is referred to is there."""
    found = []
    there = {
        kind: {each["metadata"]["name"] for each in of_kind(objects, kind)} for kind in ("ConfigMap", "ServiceAccount")
    }
    claims = _claims(objects)
    for pod in pods(objects):
        for kind, name in _referred(pod):
            if kind == "PersistentVolumeClaim":
                good = name in claims
            else:
                good = name in (SECRETS if kind == "Secret" else there[kind])
            if not good:
                found.append(f"{pod.name} refers to {kind} {name}, which is not there")
        for volume in pod.spec["volumes"]:
            secret = volume.get("secret", {})
            unknown = {each["key"] for each in secret.get("items", ())} - SECRETS.get(secret.get("secretName"), set())
            if secret and unknown:
                found.append(f"{pod.name}: secret {secret['secretName']} has no {', '.join(sorted(unknown))}")
    return found


def _claims(objects: Objects) -> dict[str, Object]:
    """Those that stand there, and those that a StatefulSet makes."""
    claims = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "PersistentVolumeClaim")}
    for owner in of_kind(objects, "StatefulSet"):
        for template in owner["spec"].get("volumeClaimTemplates", ()):
            for number in range(replicas(objects, owner)[0]):
                name = f"{template['metadata']['name']}-{owner['metadata']['name']}-{number}"
                claims[name] = template["spec"]
    return claims


def _referred(pod: Pod) -> Iterator[tuple[str, str]]:
    if account := pod.spec.get("serviceAccountName"):
        yield "ServiceAccount", account
    for container in pod.containers:
        for source in container.get("envFrom", ()):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    yield kind, source[key]["name"]
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {})
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if key in source:
                    yield kind, source[key]["name"]
    for volume in pod.spec["volumes"]:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def no_secrets(objects: Objects) -> list[str]:
    """They are referred to, and stand nowhere here."""
    found = [f"{name_of(each)} stands among the files" for each in of_kind(objects, "Secret")]
    for pod in pods(objects):
        for container in pod.containers:
            for each in container.get("env", ()):
                if _SECRET_NAME.search(each["name"]) and not each["name"].endswith(SUFFIX) and "value" in each:
                    found.append(f"{pod.name}: {each['name']} holds a secret")
    for each in of_kind(objects, "ConfigMap"):
        for key in each.get("data", {}):
            if _SECRET_NAME.search(key) and not key.endswith(SUFFIX):
                found.append(f"{name_of(each)}: {key} holds a secret")
    found += [f"{name_of(each)} holds a credential" for each in objects if any(map(_SECRET_VALUE.search, _texts(each)))]
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def volumes(objects: Objects) -> list[str]:
    """What is mounted is there, what is there is mounted; what several pods share may be; what is written to can be."""
    found = []
    for pod in pods(objects):
        templates = pod.owner["spec"].get("volumeClaimTemplates", ())
        there = {each["name"] for each in pod.spec["volumes"]} | {each["metadata"]["name"] for each in templates}
        mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", ())}
        found += [f"{pod.name}: there is no volume {name}" for name in sorted(mounted - there)]
        found += [f"{pod.name} does not mount its volume {name}" for name in sorted(there - mounted)]
    (control_plane,) = pods_named(objects, CONTROL_PLANE)
    said = settings(objects)
    found += [
        f"{control_plane.name} cannot write to {said[name]}"
        for name in WRITABLE
        if not _writes(control_plane, said[name])
    ]
    for pod in pods_named(objects, TORCHSERVE):
        if _writes(pod, said["WEEDWATCH_MODEL_STORE"]):
            found.append(f"{pod.name} can write to the model store")
    return found + [problem for pod in pods(objects) for problem in _shared_wrongly(objects, pod)]


def _writes(pod: Pod, path: str) -> bool:
    return any(each["mountPath"] == path and not each.get("readOnly") for each in pod.main["volumeMounts"])


def _shared_wrongly(objects: Objects, pod: Pod) -> list[str]:
    """Pods that may be on several nodes need a claim that several nodes may use."""
    claims = _claims(objects)
    several = pod.lasts and replicas(objects, pod.owner)[1] > 1
    names = {
        each["persistentVolumeClaim"]["claimName"] for each in pod.spec["volumes"] if "persistentVolumeClaim" in each
    }
    return [
        f"{pod.name}: several nodes cannot use the claim {name}"
        for name in sorted(names)
        if several and name in claims and "ReadWriteMany" not in claims[name]["accessModes"]
    ]


def ports(objects: Objects) -> list[str]:
    """As everywhere: 8000 and 9100 of the control plane, 8080 to 8082 of TorchServe, each named for what it is."""
    said = settings(objects)
    (control_plane,), (torchserve,) = pods_named(objects, CONTROL_PLANE), pods_named(objects, TORCHSERVE)
    wanted = {
        "WEEDWATCH_PORT": (said.get("WEEDWATCH_PORT"), "8000"),
        "WEEDWATCH_METRICS_PORT": (said.get("WEEDWATCH_METRICS_PORT"), "9100"),
        "http": (port_of(control_plane, "http"), 8000),
        "metrics": (port_of(control_plane, "metrics"), 9100),
        **{name.lower(): (port_of(torchserve, name.lower()), port) for name, port in APIS.items()},
    }
    return [f"{name} is {is_}, not {right}" for name, (is_, right) in wanted.items() if is_ != right]


def addresses(objects: Objects) -> list[str]:
    """The control planes know each TorchServe that there may be by its own name, and no other."""
    (torchserve,) = pods_named(objects, TORCHSERVE)
    _, most = replicas(objects, torchserve.owner)
    meta, service = torchserve.owner["metadata"]["name"], torchserve.owner["spec"].get("serviceName")
    found = []
    for name, port in APIS.items():
        wanted = ",".join(f"http://{meta}-{number}.{service}:{port}" for number in range(most))
        is_ = settings(objects).get(f"WEEDWATCH_TORCHSERVE_{name}")
        if is_ != wanted:
            found.append(f"WEEDWATCH_TORCHSERVE_{name} is {is_}, not {wanted}")
    headless = find(objects, "Service", service)["spec"] if service else {}
    if not headless.get("publishNotReadyAddresses"):
        found.append("A TorchServe has no name before it is ready, and is not ready before it has a model")
    return found


def scalers(objects: Objects) -> list[str]:
    """Each scales what is there and says no number itself, by metrics that somebody tells."""
    told = {"Pods": {each["name"]["as"] for each in adapter()["rules"]}}
    told["External"] = {each["name"]["as"] for each in adapter()["externalRules"]}
    found = []
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        spec, target = scaler["spec"], scaler["spec"]["scaleTargetRef"]
        try:
            owner = find(objects, target["kind"], target["name"])
        except LookupError as problem:
            found.append(f"{name_of(scaler)}: {problem}")
            continue
        if "replicas" in owner["spec"]:
            found.append(f"{name_of(owner)} says how many it is, beside its scaler")
        if not 2 <= spec["minReplicas"] <= spec["maxReplicas"]:
            found.append(f"{name_of(scaler)}: from {spec['minReplicas']} to {spec['maxReplicas']}")
        for each in spec["metrics"]:
            metric = each.get(each["type"].lower(), {}).get("metric", {}).get("name")
            if each["type"] != "Resource" and metric not in told.get(each["type"], ()):
                found.append(f"{name_of(scaler)}: nobody tells {metric}")
    return found


def ingress(objects: Objects) -> list[str]:
    """What comes in goes to a port of a Service, by TLS, for a name that the control plane answers to."""
    found = []
    for each in of_kind(objects, "Ingress"):
        secured = {
            host for tls in each["spec"].get("tls", ()) for host in tls["hosts"] if tls.get("secretName") in SECRETS
        }
        for rule in each["spec"]["rules"]:
            if rule["host"] not in secured:
                found.append(f"{name_of(each)}: {rule['host']} has no certificate")
            if rule["host"] not in settings(objects).get("WEEDWATCH_ALLOWED_HOSTS", "").split(","):
                found.append(f"{name_of(each)}: the control plane does not answer to {rule['host']}")
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                if not _has_port(objects, service["name"], service["port"].get("name")):
                    found.append(f"{name_of(each)}: there is no port {service['port']} of {service['name']}")
    return found


def _has_port(objects: Objects, service: str, port: str | None) -> bool:
    try:
        return port in {each["name"] for each in find(objects, "Service", service)["spec"]["ports"]}
    except LookupError:
        return False


def scraping(objects: Objects) -> list[str]:
    """Prometheus finds the metrics' port of the control planes, and through one of them each TorchServe."""
    found = []
    for monitor in of_kind(objects, "ServiceMonitor"):
        behind = [
            each
            for each in of_kind(objects, "Service")
            if matches(monitor["spec"]["selector"], each["metadata"].get("labels", {}))
        ]
        for endpoint in monitor["spec"]["endpoints"]:
            if not any(_has_port(objects, each["metadata"]["name"], endpoint["port"]) for each in behind):
                found.append(f"{name_of(monitor)} finds no port {endpoint['port']}")
    asked = [
        int(endpoint["params"]["number"][0])
        for monitor in of_kind(objects, "ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
        if "number" in endpoint.get("params", {})
    ]
    known = len(settings(objects)["WEEDWATCH_TORCHSERVE_METRICS"].split(","))
    if asked and asked != list(range(1, known + 1)):
        found.append(f"TorchServes {asked} are scraped, and there are {known}")
    return found


def place(objects: Objects) -> list[str]:
    """All is in one namespace, in which no pod may have more rights than ours ask for."""
    (namespace,) = of_kind(objects, "Namespace")
    name = namespace["metadata"]["name"]
    found = [
        f"{name_of(each)} is elsewhere"
        for each in objects
        if each["kind"] not in _CLUSTER_WIDE and each["metadata"].get("namespace") != name
    ]
    if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        found.append("The namespace takes pods with any rights")
    return found


def backups(objects: Objects) -> list[str]:
    """One at a time, and where pictures are."""
    called = {pod.spec["containers"][0]["command"][-1] for pod in pods_named(objects, BACKUP)}
    found = [] if "--prune" in called else ["Nobody makes backups."]
    found += [] if "erasures" in called else ["Nobody writes down what was erased."]
    bucket = settings(objects).get("WEEDWATCH_PICTURES_URL")
    if bucket is None and replicas(objects, pods_named(objects, CONTROL_PLANE)[0].owner)[1] > 1:
        found.append("Several control planes do not share the kept pictures (WEEDWATCH_PICTURES_URL)")
    for each in of_kind(objects, "CronJob"):
        if each["spec"].get("concurrencyPolicy") != "Forbid":
            found.append(f"{name_of(each)} may run twice at once")
    for pod in pods_named(objects, BACKUP):
        claims = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod.spec["volumes"]
            if "persistentVolumeClaim" in volume
        }
        if bucket is None and not any(claim.startswith("state-") for claim in claims):
            found.append(f"{pod.name} does not see the kept pictures")
    return found

"""Failing examples of what must hold of what refers to something else."""

from collections.abc import Callable
from typing import Any

from tests.kubernetes.breaking import (
    CONTROL_PLANE,
    TORCHSERVE,
    Break,
    container,
    less,
    pod,
    setting,
    spec,
    to,
    with_also,
    without,
)
from tests.kubernetes.rendered import find

_CONFIG_WITH_PASSWORD = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "address"},
    "data": {"url": "postgresql://weedwatch:letmein@postgres/weedwatch"},
}
_SCALER_OF_NOBODY = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "redis"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "redis"},
        "minReplicas": 2,
        "maxReplicas": 3,
        "metrics": [],
    },
}


def _claim(name: str) -> Callable[[Any], object]:
    return lambda volumes: [each.update(persistentVolumeClaim={"claimName": name}) for each in volumes[:1]]


REFERENCES = (
    Break("settings_are_right", "a setting that there is not", setting("WEEDWATCH_QUEUE_LENGTH", "64")),
    Break("settings_are_right", "a value that it does not take", setting("WEEDWATCH_QUEUE_SIZE", "many")),
    Break("settings_are_right", "a secret at another place", setting("DATABASE_URL_FILE", "/run/secrets/database_url")),
    Break(
        "references",
        "a ConfigMap that there is not",
        container(*CONTROL_PLANE, lambda main: main["envFrom"].append({"configMapRef": {"name": "extra"}})),
    ),
    Break(
        "references",
        "a secret that nobody makes",
        container(*CONTROL_PLANE, lambda main: main["envFrom"].append({"secretRef": {"name": "cloud"}})),
    ),
    Break(
        "references",
        "a key that the secret has not",
        pod(
            *CONTROL_PLANE,
            lambda own: next(each for each in own["volumes"] if each["name"] == "database")["secret"]["items"].append(
                {"key": "url", "path": "url"}
            ),
        ),
    ),
    Break(
        "references",
        "a claim that there is not",
        pod("Deployment", "quarantine", lambda own: _claim("uploads")(own["volumes"])),
    ),
    Break("references", "an account that there is not", without("ServiceAccount", "backup")),
    Break(
        "no_secrets",
        "a secret among the files",
        with_also({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "weedwatch"}, "stringData": {}}),
    ),
    Break(
        "no_secrets",
        "a password in a variable",
        container("Deployment", "redis", to(env=[{"name": "REDIS_PASSWORD", "value": "letmein"}])),
    ),
    Break("no_secrets", "a password in an address", with_also(_CONFIG_WITH_PASSWORD)),
    Break(
        "volumes",
        "a mount without a volume",
        container(*CONTROL_PLANE, lambda main: main["volumeMounts"].append({"name": "extra", "mountPath": "/extra"})),
    ),
    Break("volumes", "a volume that nobody mounts", container(*TORCHSERVE, lambda main: main["volumeMounts"].pop())),
    Break(
        "volumes",
        "TorchServe writes to the model store",
        container(*TORCHSERVE, lambda main: main["volumeMounts"][0].pop("readOnly")),
    ),
    Break(
        "volumes",
        "models that one node alone can use",
        spec("PersistentVolumeClaim", "models", change=to(accessModes=["ReadWriteOnce"])),
    ),
    Break(
        "volumes",
        "a model store that it cannot write to",
        container(
            *CONTROL_PLANE,
            lambda main: next(each for each in main["volumeMounts"] if each["name"] == "models").update(readOnly=True),
        ),
    ),
    Break("ports", "another port", container(*CONTROL_PLANE, lambda main: main["ports"][0].update(containerPort=8888))),
    Break(
        "ports",
        "TorchServe's ports changed round",
        container(
            *TORCHSERVE,
            lambda main: [main["ports"][0].update(containerPort=8081), main["ports"][1].update(containerPort=8080)],
        ),
    ),
    Break(
        "addresses",
        "fewer addresses than TorchServes",
        lambda objects: [
            setting(f"WEEDWATCH_TORCHSERVE_{name}", f"http://torchserve-0.torchserve:{port}")(objects)
            for name, port in (("INFERENCE", 8080), ("MANAGEMENT", 8081))
        ],
    ),
    Break(
        "addresses",
        "no names before it is ready",
        spec("Service", "torchserve", change=less("publishNotReadyAddresses")),
    ),
    Break("scalers", "a scaler of nobody", with_also(_SCALER_OF_NOBODY)),
    Break(
        "scalers",
        "a metric that nobody tells",
        spec("HorizontalPodAutoscaler", "torchserve", "metrics", 1, "external", "metric", change=to(name="queue")),
    ),
    Break("scalers", "a number beside the scaler's", spec(*TORCHSERVE, change=to(replicas=2))),
    Break("ingress", "no certificate", spec("Ingress", "weedwatch", change=less("tls"))),
    Break("ingress", "a name that is not answered", setting("WEEDWATCH_ALLOWED_HOSTS", "weeds.example.org")),
    Break(
        "ingress",
        "a port that there is not",
        spec(
            "Ingress",
            "weedwatch",
            "rules",
            0,
            "http",
            "paths",
            0,
            "backend",
            "service",
            "port",
            change=to(name="https"),
        ),
    ),
    Break(
        "scraping",
        "a Service without metrics",
        spec("Service", "control-plane-replicas", change=lambda own: own["ports"].pop()),
    ),
    Break(
        "scraping",
        "a TorchServe that nobody asks",
        spec("ServiceMonitor", "torchserve", "endpoints", change=lambda own: own.pop()),
    ),
    Break(
        "place",
        "an object elsewhere",
        lambda objects: find(objects, "Service", "redis")["metadata"].update(namespace="default"),
    ),
    Break(
        "place",
        "a namespace that takes any pod",
        lambda objects: find(objects, "Namespace", "weedwatch")["metadata"]["labels"].pop(
            "pod-security.kubernetes.io/enforce"
        ),
    ),
    Break("backups", "nobody who writes down what was erased", without("CronJob", "erasures")),
    Break("backups", "two backups at once", spec("CronJob", "backup", change=to(concurrencyPolicy="Allow"))),
    Break("backups", "pictures that replicas do not share", setting("WEEDWATCH_PICTURES_URL", None)),
)

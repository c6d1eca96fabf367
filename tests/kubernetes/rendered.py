"""The overlays as objects, and the pods that come of them."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes import kustomize

FOLDER = kustomize.ROOT / "deploy" / "kubernetes"
OVERLAYS = ("base", "development", "production", "gpu", "kserve")
Object = dict[str, Any]
Objects = Sequence[Object]

COMPONENT = "app.kubernetes.io/component"
CONTROL_PLANE, TORCHSERVE, QUARANTINE, REDIS, BACKUP = "control-plane", "torchserve", "quarantine", "redis", "backup"
_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
# Fields of a predictor that are KServe's own; all others are those of a pod.
KSERVE_FIELDS = ("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "timeout", "labels")


@dataclass(frozen=True)
class Pod:
    """A pod that a workload makes; `lasts` when it is meant to run on."""

    owner: Object
    labels: Mapping[str, str]
    spec: Object
    lasts: bool

    @property
    def name(self) -> str:
        return name_of(self.owner)

    @property
    def component(self) -> str:
        return self.labels.get(COMPONENT, "")

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def main(self) -> Object:
        """The container that the pod is for."""
        first: Object = self.spec["containers"][0]
        return first


def path_of(overlay: str) -> Path:
    return FOLDER / overlay if (FOLDER / overlay).exists() else FOLDER / "overlays" / overlay


@cache
def _rendered(overlay: str) -> tuple[Object, ...]:
    documents = yaml.load_all(kustomize.build(path_of(overlay)), Loader=yaml.CSafeLoader)
    return tuple(each for document in documents for each in _flat(document))


def objects_of(overlay: str) -> list[Object]:
    """A copy of its own for whoever asks: the objects may be changed."""
    return copy.deepcopy(list(_rendered(overlay)))


def _flat(document: Object) -> Iterator[Object]:
    yield from document["items"] if document["kind"] == "List" else (document,)


def name_of(object_: Object) -> str:
    return f"{object_['kind']} {object_['metadata']['name']}"


def of_kind(objects: Objects, *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def find(objects: Objects, kind: str, name: str) -> Object:
    """Raises LookupError: There is none."""
    for each in of_kind(objects, kind):
        if each["metadata"]["name"] == name:
            return each
    raise LookupError(f"There is no {kind} {name}.")


def pods(objects: Objects) -> list[Pod]:
    return [pod for each in objects if (pod := pod_of(each))]


def pod_of(object_: Object) -> Pod | None:
    kind = object_["kind"]
    if kind == "Pod":
        return Pod(object_, object_["metadata"].get("labels", {}), object_["spec"], lasts=False)
    if kind == "InferenceService":
        predictor = object_["spec"]["predictor"]
        spec = {key: value for key, value in predictor.items() if key not in KSERVE_FIELDS}
        return Pod(object_, predictor.get("labels", {}), spec, lasts=True)
    if kind not in _TEMPLATES:
        return None
    template = object_
    for key in _TEMPLATES[kind]:
        template = template[key]
    labels = template["metadata"].get("labels", {})
    return Pod(object_, labels, template["spec"], lasts=kind not in {"Job", "CronJob"})


def pods_named(objects: Objects, component: str) -> list[Pod]:
    return [pod for pod in pods(objects) if pod.component == component]


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions", ()))


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values", ())
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[str(operator)]


def settings(objects: Objects) -> dict[str, str]:
    """The control planes' environment as far as it stands in ConfigMaps and in the pod itself."""
    (pod, *_) = pods_named(objects, CONTROL_PLANE)
    found: dict[str, str] = {}
    maps = {each["metadata"]["name"]: each.get("data", {}) for each in of_kind(objects, "ConfigMap")}
    for source in pod.main.get("envFrom", ()):
        found |= maps.get(source.get("configMapRef", {}).get("name"), {})
    return found | {each["name"]: each["value"] for each in pod.main.get("env", ()) if "value" in each}


def replicas(objects: Objects, workload: Object) -> tuple[int, int]:
    """How many there are at least and at most."""
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"]):
            return scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
    spec = workload["spec"]
    if workload["kind"] == "InferenceService":
        return spec["predictor"]["minReplicas"], spec["predictor"]["maxReplicas"]
    fixed = spec.get("replicas", 1)
    return fixed, fixed

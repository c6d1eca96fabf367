"""Each object against a schema: Kubernetes' kinds against those of one version, others against small ones of ours."""

import json
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
from kubernetes_validate.utils import SchemaNotFoundError

from tests.kubernetes.custom_kinds import SCHEMAS
from tests.kubernetes.rendered import Object, Objects, name_of, pod_of

VERSION = "1.34"
"""Of Kubernetes: the oldest whose pods may sleep before they end without a program for it, as a stable feature."""
# Words that the schemas take as any text.
WORDS = {
    "restartPolicy": {"Always", "OnFailure", "Never"},
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "whenUnsatisfiable": {"ScheduleAnyway", "DoNotSchedule"},
    "concurrencyPolicy": {"Allow", "Forbid", "Replace"},
    "podManagementPolicy": {"OrderedReady", "Parallel"},
    "whenDeleted": {"Retain", "Delete"},
    "whenScaled": {"Retain", "Delete"},
    "pathType": {"Prefix", "Exact", "ImplementationSpecific"},
    "protocol": {"TCP", "UDP", "SCTP"},
    "unhealthyPodEvictionPolicy": {"AlwaysAllow", "IfHealthyBudget"},
    "fsGroupChangePolicy": {"OnRootMismatch", "Always"},
    "accessModes": {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"},
    "policyTypes": {"Ingress", "Egress"},
}


def schemas(objects: Objects) -> list[str]:
    """What does not fit its schema, or has none."""
    return [problem for each in objects if (problem := _check(json.dumps(each))) is not None]


@cache
def _check(text: str) -> str | None:
    """By its text, so that what is in several overlays is looked at once."""
    object_: Object = json.loads(text)
    kind = (object_["apiVersion"], object_["kind"])
    try:
        if kind in SCHEMAS:
            jsonschema.Draft202012Validator(SCHEMAS[kind]).validate(object_)
            if (pod := pod_of(object_)) is not None:
                whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod.spec}
                kubernetes_validate.validate(whole, VERSION, strict=True)
        else:
            kubernetes_validate.validate(object_, VERSION, strict=True)
    except SchemaNotFoundError:
        return f"{name_of(object_)}: no schema of {object_['apiVersion']} is known"
    except jsonschema.ValidationError as error:
        return f"{name_of(object_)}: {'.'.join(map(str, error.path))}: {error.message[:200]}"
    return None


def words(objects: Objects) -> list[str]:
    """Words that Kubernetes does not know."""
    return [f"{name_of(each)}: {problem}" for each in objects for problem in _odd(each)]


def _odd(value: Any) -> list[str]:
    if isinstance(value, list):
        return [problem for each in value for problem in _odd(each)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        said = inner if isinstance(inner, list) else [inner]
        if key in WORDS and all(isinstance(each, str) for each in said):
            found += [f"{key} {each}" for each in said if each not in WORDS[key]]
        else:
            found += _odd(inner)
    return found

"""Failing examples: one thing of a rendered overlay is broken, and exactly the assert that is about it must say so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.rendered import Object, find, objects_of, pod_of

Objects = list[Object]
Change = Callable[[Objects], object]


@dataclass(frozen=True)
class Break:
    """`by`: the assert that must notice it, and no other."""

    by: str
    what: str
    change: Change
    overlay: str = "production"

    def broken(self) -> Objects:
        objects = objects_of(self.overlay)
        self.change(objects)
        return objects


def spec(kind: str, name: str, *path: str | int, change: Callable[[Any], object]) -> Change:
    """Change what stands below an object's spec."""

    def act(objects: Objects) -> None:
        value: Any = find(objects, kind, name)["spec"]
        for key in path:
            value = value[key]
        change(value)

    return act


def container(kind: str, name: str, change: Callable[[Object], object]) -> Change:
    def act(objects: Objects) -> None:
        pod = pod_of(find(objects, kind, name))
        assert pod is not None
        change(pod.main)

    return act


def pod(kind: str, name: str, change: Callable[[Object], object]) -> Change:
    return spec(kind, name, "template", "spec", change=change)


def setting(name: str, value: str | None) -> Change:
    """Give a setting of the control planes another value; None: take it away."""

    def act(objects: Objects) -> None:
        data = next(
            each["data"]
            for each in objects
            if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("settings-")
        )
        data.pop(name, None)
        if value is not None:
            data[name] = value

    return act


def without(kind: str, name: str) -> Change:
    return lambda objects: objects.remove(find(objects, kind, name))


def with_also(object_: Object) -> Change:
    meta = {"namespace": "weedwatch", **object_["metadata"]}
    return lambda objects: objects.append({**object_, "metadata": meta})


def to(**values: Any) -> Callable[[Any], object]:
    return lambda where: where.update(values)


def less(*keys: str) -> Callable[[Any], object]:
    return lambda where: [where.pop(key) for key in keys]


CONTROL_PLANE = ("StatefulSet", "control-plane")
TORCHSERVE = ("StatefulSet", "torchserve")

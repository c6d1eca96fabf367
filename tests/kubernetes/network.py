"""Who may speak to whom, by the NetworkPolicies, as the cluster's network reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.kubernetes.rendered import COMPONENT, Object, Objects, Pod, find, matches, of_kind, pods

NAMESPACE = "weedwatch"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod by its labels and those of its namespace, or, without them, an address outside."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: Mapping[str, str] | None = field(default_factory=lambda: {NAMESPACE_LABEL: NAMESPACE})

    @property
    def is_ours(self) -> bool:
        return self.namespace is not None and self.namespace.get(NAMESPACE_LABEL) == NAMESPACE


def _elsewhere(name: str, labels: Mapping[str, str], **namespace: str) -> End:
    said = {key.replace("__", "/").replace("_", "-"): value for key, value in namespace.items()}
    return End(name, labels, {NAMESPACE_LABEL: name, **said})


DATABASE = End("postgres", {"cnpg.io/cluster": "postgres"})
STRANGER = End("stranger", {COMPONENT: "stranger"})
OUTSIDE = End("outside", namespace=None)
INGRESS = _elsewhere("ingress", {}, weedwatch__ingress="true")
PROMETHEUS = _elsewhere("prometheus", {"app.kubernetes.io/name": "prometheus"}, weedwatch__monitoring="true")
GRAFANA = _elsewhere("grafana", {"app.kubernetes.io/name": "grafana"}, weedwatch__monitoring="true")
OPERATOR = _elsewhere("cnpg-system", {})
NAMES = _elsewhere("kube-system", {"k8s-app": "kube-dns"})
OTHERS = _elsewhere("default", {"app.kubernetes.io/component": "control-plane"})
"""A pod of another namespace that has the labels of ours."""


def ends(objects: Objects) -> list[End]:
    """All that could try."""
    ours = {pod.component: End(pod.component, pod.labels) for pod in pods(objects)}
    elsewhere = (OUTSIDE, INGRESS, PROMETHEUS, GRAFANA, OPERATOR, NAMES, OTHERS)
    return [*ours.values(), DATABASE, STRANGER, *elsewhere]


def end_of(pod: Pod) -> End:
    return End(pod.component, pod.labels)


def may(objects: Objects, sender: End, receiver: End, port: int) -> bool:
    """Whether both ends let it through; of ends elsewhere nothing is known, so they do."""
    policies = of_kind(objects, "NetworkPolicy")
    out = not sender.is_ours or _lets(policies, "Egress", "egress", "to", sender, receiver, port)
    return out and is_let_in(objects, sender, receiver, port)


def is_let_in(objects: Objects, sender: End, receiver: End, port: int) -> bool:
    """Whether the receiver's end lets it through, whatever the sender's says: nobody counts on others' manners."""
    policies = of_kind(objects, "NetworkPolicy")
    return not receiver.is_ours or _lets(policies, "Ingress", "ingress", "from", receiver, sender, port)


def _lets(policies: Objects, kind: str, rules: str, peers: str, own: End, other: End, port: int) -> bool:
    mine = [
        each["spec"]
        for each in policies
        if kind in each["spec"]["policyTypes"] and matches(each["spec"]["podSelector"], own.labels)
    ]
    if not mine:
        return True  # nothing is said of it, and then all is allowed
    return any(
        _is_port(rule.get("ports"), port) and _is_peer(rule.get(peers), other)
        for spec in mine
        for rule in spec.get(rules) or ()
    )


def _is_port(ports: list[Object] | None, port: int) -> bool:
    return not ports or any(each.get("protocol", "TCP") == "TCP" and each.get("port", port) == port for each in ports)


def _is_peer(peers: list[Object] | None, other: End) -> bool:
    return not peers or any(_is(each, other) for each in peers)


def _is(peer: Object, other: End) -> bool:
    if "ipBlock" in peer:
        return other.namespace is None
    if other.namespace is None:
        return False
    there = matches(peer["namespaceSelector"], other.namespace) if "namespaceSelector" in peer else other.is_ours
    return there and matches(peer.get("podSelector", {}), other.labels)


def default_denies(objects: Objects) -> bool:
    """Whether what no policy speaks of is forbidden, in both directions."""
    try:
        spec = find(objects, "NetworkPolicy", "default-deny")["spec"]
    except LookupError:
        return False
    rules = spec.get("ingress") or spec.get("egress")
    return spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Ingress", "Egress"} and not rules

"""Failing examples of what must hold of the ways between pods."""

from typing import Any

from tests.kubernetes.breaking import Break, Objects, less, spec, to, without
from tests.kubernetes.rendered import BACKUP, COMPONENT, TORCHSERVE, find

_ANYBODY: dict[str, Any] = {"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8081}]}


def _peer_by_namespace_alone(rules: Any) -> None:
    """The usual slip: a list item too many makes two peers, of which one is the whole namespace."""
    (rule,) = rules
    rule["from"] = [{"namespaceSelector": {}}, *rule["from"]]


def _backup_and_torchserve(objects: Objects) -> None:
    """The way is opened at both ends."""
    backup, torchserve = ({"podSelector": {"matchLabels": {COMPONENT: name}}} for name in (BACKUP, TORCHSERVE))
    find(objects, "NetworkPolicy", "torchserve")["spec"]["ingress"][0]["from"].append(backup)
    find(objects, "NetworkPolicy", "backup")["spec"]["egress"].append({"to": [torchserve]})


NETWORK = (
    Break(
        "default_deny",
        "what nobody speaks of is allowed in",
        spec("NetworkPolicy", "default-deny", change=to(policyTypes=["Egress"])),
    ),
    Break(
        "torchserve_is_closed",
        "anybody reaches TorchServe's management",
        spec("NetworkPolicy", "torchserve", "ingress", change=lambda rules: rules.append(_ANYBODY)),
    ),
    Break(
        "torchserve_is_closed",
        "a peer that is a whole cluster",
        spec("NetworkPolicy", "torchserve", "ingress", change=_peer_by_namespace_alone),
    ),
    Break(
        "torchserve_is_closed",
        "backups reach TorchServe",
        _backup_and_torchserve,
    ),
    Break(
        "quarantine_is_alone",
        "the quarantine reaches the world",
        spec(
            "NetworkPolicy",
            "quarantine",
            "egress",
            change=lambda rules: rules.append({"ports": [{"protocol": "TCP", "port": 443}]}),
        ),
    ),
    Break(
        "quarantine_is_alone",
        "TorchServe reaches the world",
        spec("NetworkPolicy", "torchserve", "egress", change=lambda rules: rules.append({})),
    ),
    Break(
        "data_is_closed",
        "anybody reaches PostgreSQL from elsewhere",
        spec(
            "NetworkPolicy",
            "postgres",
            "ingress",
            0,
            "from",
            change=lambda peers: peers.append({"namespaceSelector": {}}),
        ),
    ),
    Break(
        "data_is_closed",
        "Redis is open to the ingress",
        spec(
            "NetworkPolicy",
            "redis",
            "ingress",
            0,
            "from",
            change=lambda peers: peers.append({"namespaceSelector": {"matchLabels": {"weedwatch/ingress": "true"}}}),
        ),
    ),
    Break(
        "doors_are_closed",
        "the metrics are open to all",
        spec("NetworkPolicy", "control-plane", "ingress", 1, change=less("from")),
    ),
    Break(
        "doors_are_closed",
        "pods elsewhere with our labels get in",
        spec(
            "NetworkPolicy",
            "control-plane",
            "ingress",
            0,
            "from",
            change=lambda peers: peers.append(
                {
                    "namespaceSelector": {},
                    "podSelector": {"matchLabels": {"app.kubernetes.io/component": "control-plane"}},
                }
            ),
        ),
    ),
    Break("needed_ways_are_open", "no way to the names", without("NetworkPolicy", "names")),
    Break(
        "needed_ways_are_open",
        "no way to PostgreSQL",
        spec("NetworkPolicy", "control-plane", "egress", 1, "ports", 0, change=to(port=5433)),
    ),
    Break(
        "needed_ways_are_open",
        "Prometheus sees nothing",
        spec(
            "NetworkPolicy", "control-plane", "ingress", 1, "from", 0, "podSelector", "matchLabels", change=to(tier="x")
        ),
    ),
)

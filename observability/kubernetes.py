"""What watches, for a cluster: kinds of the Prometheus operator, Grafana's files as ConfigMaps, the adapter's rules.

Prometheus, Alertmanager, Grafana and Loki are the cluster's own; they watch themselves.
"""

from typing import Any

from observability import dashboards, provisioning, rules
from observability.places import Places
from observability.prometheus import SERVICE_SCRAPE_SECONDS
from observability.topics import monitoring

FOLDER = "kubernetes"
NAMESPACE = "weedwatch"
MONITORING = "monitoring"
"""The namespace of Prometheus, its adapter and Grafana."""
PLACES = Places("https://weedwatch.example.org", "https://grafana.example.org")
SOURCES = provisioning.Sources(
    prometheus=f"http://prometheus-operated.{MONITORING}.svc:9090",
    alertmanager=f"http://alertmanager-operated.{MONITORING}.svc:9093",
    loki=f"http://loki-gateway.{MONITORING}.svc",
    postgres=f"postgres-ro.{NAMESPACE}.svc:5432",
    sslmode="require",
    password="$__file{/etc/secrets/weedwatch/grafana_reader_password}",  # noqa: S106 - where it stands
)
DEPTH = "weedwatch_queue_depth"
TOTAL_DEPTH = "weedwatch_queue_depth_total"
"""What the autoscaler of TorchServe asks the adapter for."""
_OPERATOR = "monitoring.coreos.com/v1"
_POD_NAME = "__meta_kubernetes_pod_name"


def documents(places: Places) -> dict[str, Any]:
    """Path → document, of what is YAML. Addresses of one machine alone are no places of a cluster."""
    places = PLACES if places == Places() else places
    return {
        "kustomization.yaml": _kustomization(),
        f"{FOLDER}/service-monitors.yaml": _list(_service_monitors()),
        f"{FOLDER}/rules.yaml": prometheus_rule(places),
        f"{FOLDER}/grafana-datasources.yaml": provisioning.datasources(SOURCES),
        f"{FOLDER}/grafana-alerting.yaml": provisioning.alerting(SOURCES, places),
        f"{FOLDER}/adapter/config.yaml": adapter(),
        f"{FOLDER}/adapter/kustomization.yaml": _adapter_kustomization(),
    }


def prometheus_rule(places: Places) -> dict[str, Any]:
    """All rules but those about Prometheus and Alertmanager: the cluster's bring their own, for all they scrape."""
    groups = [group for group in rules.rules(places)["groups"] if group["name"] != monitoring.TOPIC.name]
    return {
        "apiVersion": _OPERATOR,
        "kind": "PrometheusRule",
        "metadata": _meta("weedwatch"),
        "spec": {"groups": groups},
    }


def adapter() -> dict[str, Any]:
    """How many wait for a worker: in each control plane, and in all of a namespace together."""
    namespace, pod = {"namespace": {"resource": "namespace"}}, {"pod": {"resource": "pod"}}
    # A mean over a minute: a single scrape sees a burst that is over before a pod has started.
    depth = "sum(avg_over_time(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)"
    return {
        "rules": [
            {
                "seriesQuery": f'{DEPTH}{{namespace!="",pod!=""}}',
                "resources": {"overrides": {**namespace, **pod}},
                "name": {"as": DEPTH},
                "metricsQuery": depth,
            }
        ],
        "externalRules": [
            {
                "seriesQuery": f'{DEPTH}{{namespace!=""}}',
                "resources": {"overrides": namespace},
                "name": {"as": TOTAL_DEPTH},
                "metricsQuery": depth,
            }
        ],
    }


def torchserve_endpoint(number: int) -> dict[str, Any]:
    """The metrics of a TorchServe (1 is the first), which a control plane passes on: nobody else may reach it.

    One control plane is asked, since each would say the same.
    """
    return {
        **_endpoint("/metrics/torchserve"),
        "params": {"number": [str(number)]},
        "relabelings": [
            {"sourceLabels": [_POD_NAME], "regex": "control-plane-0", "action": "keep"},
            {"targetLabel": "job", "replacement": "torchserve"},
            {"targetLabel": "instance", "replacement": f"torchserve-{number - 1}"},
        ],
    }


def _service_monitors() -> list[dict[str, Any]]:
    control_plane = {
        **_endpoint("/metrics"),
        "relabelings": [
            {"targetLabel": "job", "replacement": "control_plane"},
            {"sourceLabels": [_POD_NAME], "targetLabel": "instance"},
        ],
    }
    return [
        _service_monitor("control-plane", [control_plane]),
        _service_monitor("torchserve", [torchserve_endpoint(1)]),
    ]


def _service_monitor(name: str, endpoints: list[dict[str, Any]]) -> dict[str, Any]:
    selector = {"matchLabels": {"weedwatch/metrics": "true"}}
    spec = {"selector": selector, "endpoints": endpoints}
    return {"apiVersion": _OPERATOR, "kind": "ServiceMonitor", "metadata": _meta(name), "spec": spec}


def _endpoint(path: str) -> dict[str, Any]:
    return {"port": "metrics", "path": path, "interval": f"{SERVICE_SCRAPE_SECONDS}s"}


def _kustomization() -> dict[str, Any]:
    def generated(name: str, label: str, files: list[str]) -> dict[str, Any]:
        return {
            "name": name,
            "files": files,
            "options": {"labels": {label: "1"}, "annotations": {"grafana_folder": provisioning.FOLDER}},
        }

    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{FOLDER}/service-monitors.yaml", f"{FOLDER}/rules.yaml"],
        # The labels are those that the side car of Grafana's chart looks for.
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": [
            *(
                generated(f"dashboard-{each.key}", "grafana_dashboard", [f"grafana/dashboards/{each.key}.json"])
                for each in dashboards.DASHBOARDS
            ),
            generated("grafana-datasources", "grafana_datasource", [f"{FOLDER}/grafana-datasources.yaml"]),
            generated("grafana-alerting", "grafana_alert", [f"{FOLDER}/grafana-alerting.yaml"]),
        ],
    }


def _adapter_kustomization() -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": MONITORING,
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": [{"name": "weedwatch-prometheus-adapter", "files": ["config.yaml"]}],
    }


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _meta(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {"app.kubernetes.io/name": "weedwatch"}}

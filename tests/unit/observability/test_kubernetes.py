"""What watches in a cluster is what watches everywhere: the same rules and dashboards, told by the same metrics."""

import re

from observability import declared, generate, kubernetes
from observability.dashboards import DASHBOARDS
from observability.topics import TOPICS, monitoring


def test_the_operators_rules_are_ours_but_for_those_about_the_cluster_s_own_prometheus() -> None:
    (document,) = [kubernetes.prometheus_rule(kubernetes.PLACES)]
    alerts = {rule["alert"] for group in document["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    wanted = {alert.name for topic in TOPICS for alert in topic.alerts}
    assert alerts == wanted - {alert.name for alert in monitoring.TOPIC.alerts}


def test_the_adapter_asks_for_a_metric_that_there_is_and_in_valid_promql() -> None:
    rules = kubernetes.adapter()
    for rule in (*rules["rules"], *rules["externalRules"]):
        labels = 'namespace="weedwatch",pod=~"control-plane-0|control-plane-1"'
        query = rule["metricsQuery"].replace("<<.Series>>", kubernetes.DEPTH).replace("<<.LabelMatchers>>", labels)
        assert declared.unknown(query.replace("<<.GroupBy>>", "instance").replace(labels, "")) == []
        assert declared.unknown(re.sub(r"\{.*\}", "", rule["seriesQuery"])) == []


def test_each_dashboard_becomes_a_config_map_that_grafana_s_side_car_looks_for() -> None:
    made = {
        each["name"]: each
        for each in kubernetes.documents(kubernetes.PLACES)["kustomization.yaml"]["configMapGenerator"]
    }
    for dashboard in DASHBOARDS:
        map_ = made[f"dashboard-{dashboard.key}"]
        assert map_["options"]["labels"] == {"grafana_dashboard": "1"}
        assert all((generate.GENERATED / file).stat().st_size < 900_000 for file in map_["files"])  # one holds 1 MiB


def test_a_cluster_s_links_lead_to_no_machine_s_own_addresses() -> None:
    said = str(kubernetes.documents(generate.Setup().places))
    assert "127.0.0.1" not in said

"""Files that Grafana, Loki and Alloy read, against the shapes and names that they know. None of the three is run."""

from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from observability import alloy as shipping
from observability import declared, loki, provisioning
from observability.dashboards import DASHBOARDS, place_of
from observability.generate import Setup, files
from observability.reader import CONNECTIONS, ROLE
from observability.topics import ALERTS
from observability.variables import UIDS, queries
from tests.structure import composed
from tests.unit.observability import alloy
from tests.unit.observability.grafana import Alerting, Dashboards, Datasources

FILES = files(Setup())
GRAFANA: dict[str, type[BaseModel]] = {
    "datasources": Datasources,
    "dashboards": Dashboards,
    "alerting": Alerting,
}
# Of Loki's reference; those that our file uses, by section.
LOKI_KEYS = {
    "": {
        *("auth_enabled", "server", "common", "schema_config", "compactor", "limits_config", "analytics"),
    },
    "server": {"http_listen_port", "log_format", "log_level"},
    "common": {"path_prefix", "replication_factor", "ring", "storage"},
    "ring": {"kvstore"},
    "kvstore": {"store"},
    "storage": {"filesystem"},
    "filesystem": {"chunks_directory", "rules_directory"},
    "schema_config": {"configs"},
    "configs": {"from", "store", "object_store", "schema", "index"},
    "index": {"prefix", "period"},
    "compactor": {"working_directory", "retention_enabled", "delete_request_store", "retention_delete_delay"},
    "limits_config": {
        *("retention_period", "max_query_length", "volume_enabled", "allow_structured_metadata"),
        *("reject_old_samples", "reject_old_samples_max_age"),
    },
    "analytics": {"reporting_enabled"},
}


def _provisioned(part: str) -> Any:
    return yaml.safe_load(FILES[f"grafana/provisioning/{part}/weedwatch.yaml"])


@pytest.mark.parametrize("part", list(GRAFANA))
def test_grafana_knows_every_key(part: str) -> None:
    GRAFANA[part].model_validate(_provisioned(part))


@pytest.mark.parametrize("part", list(GRAFANA))
def test_a_key_that_grafana_does_not_know_is_found(part: str) -> None:
    wrong = _provisioned(part)
    next(value for value in wrong.values() if isinstance(value, list))[0]["orgID"] = 1
    with pytest.raises(ValidationError, match="orgID"):
        GRAFANA[part].model_validate(wrong)


def test_sources_have_fixed_uids_and_the_reader_has_its_password_from_a_file() -> None:
    read = Datasources.model_validate(_provisioned("datasources"))
    assert {each.type: each.uid for each in read.datasources} == UIDS
    postgres = _provisioned("datasources")["datasources"][2]
    assert postgres["user"] == ROLE
    assert postgres["jsonData"]["maxOpenConns"] < CONNECTIONS
    assert postgres["secureJsonData"]["password"].startswith("$__file{")


def test_a_password_in_the_file_itself_is_refused() -> None:
    wrong = provisioning.datasources(provisioning.Sources(password="in-clear"))
    with pytest.raises(ValidationError, match="password"):
        Datasources.model_validate(wrong)


def test_variables_of_links_survive_grafanas_expansion() -> None:
    """`$` begins a variable of the environment there; `$$` is a `$`."""
    for source in _provisioned("datasources")["datasources"]:
        for link in source["jsonData"].get("derivedFields", source["jsonData"].get("exemplarTraceIdDestinations", [])):
            assert link["url"].endswith("=$${__value.raw}")


def test_a_trace_is_shown_where_traces_are_when_there_is_such_a_place() -> None:
    made = provisioning.datasources(provisioning.Sources(traces="https://traces.example/{trace_id}"))
    loki_source = made["datasources"][1]
    assert loki_source["jsonData"]["derivedFields"][1]["url"] == "https://traces.example/$${__value.raw}"


def test_alerts_of_grafana_lead_to_panels_and_none_is_told_twice() -> None:
    read = Alerting.model_validate(_provisioned("alerting"))
    rules = [rule for group in read.groups for rule in group.rules]
    panels = {rule.title: (rule.dashboardUid.removeprefix("weedwatch-"), rule.panelId) for rule in rules}
    assert panels["ErrorLinesBurst"] == place_of("logs-errors")
    assert {dashboard for dashboard, _ in panels.values()} <= {each.key for each in DASHBOARDS}
    assert not {rule.title for rule in rules} & {alert.name for alert in ALERTS}
    assert not [query for rule in rules for query in rule.data if query.datasourceUid == UIDS["prometheus"]]
    receivers = {each.name for each in read.contactPoints}
    assert {each.receiver for each in read.policies} <= receivers


def _unknown_keys(value: Any, section: str = "") -> list[str]:
    if isinstance(value, list):
        return [problem for each in value for problem in _unknown_keys(each, section)]
    if not isinstance(value, dict):
        return []
    found = [f"{section}: {key}" for key in value if key not in LOKI_KEYS[section]]
    return found + [
        problem
        for key, below in value.items()
        if isinstance(below, dict | list) and key in LOKI_KEYS
        for problem in _unknown_keys(below, key)
    ]


def test_loki_knows_every_key_and_keeps_lines_for_thirty_days() -> None:
    made = yaml.safe_load(FILES["loki/loki.yaml"])
    assert _unknown_keys(made) == []
    assert made["limits_config"]["retention_period"] == "720h"
    # Without these two nothing is ever removed, or Loki refuses to start.
    assert made["compactor"]["retention_enabled"]
    assert made["compactor"]["delete_request_store"] == "filesystem"
    assert [each["index"]["period"] for each in made["schema_config"]["configs"]] == ["24h"]


def test_a_misspelt_key_of_loki_is_found() -> None:
    made = loki.configuration(loki.Keeping(days=7))
    assert made["limits_config"]["retention_period"] == "168h"
    made["limits_config"]["retention_periods"] = made["limits_config"].pop("retention_period")
    assert _unknown_keys(made) == ["limits_config: retention_periods"]


ALLOY = FILES["alloy/config.alloy"]


def test_alloy_knows_every_block_and_every_reference_leads_somewhere() -> None:
    assert alloy.problems(ALLOY) == []


def test_alloy_reads_the_containers_of_the_project_that_runs_it() -> None:
    """Compose puts the name of the project into COMPOSE_PROJECT_NAME, wherever it comes from."""
    discovery = next(block for block in alloy.parsed(ALLOY) if block.name == "discovery.docker")
    (only,) = discovery.blocks
    words = [word.strip('"') for word in only.arguments["values"]]
    assert words[1:] == [
        *("com.docker.compose.project=", "+", "coalesce", "(", "sys.env", "(", shipping.PROJECT, ")", ","),
        *(composed.said(composed.BASE)["name"], ")", "]"),
    ]
    given = composed.services()["alloy"]["environment"][shipping.PROJECT]
    assert given == "${COMPOSE_PROJECT_NAME:-weedwatch}"


def test_ids_are_structured_metadata_and_labels_are_few() -> None:
    process = next(block for block in alloy.parsed(ALLOY) if block.name == "loki.process")
    stages = {
        block.name: {word for word in block.arguments.get("values", []) if word.isidentifier()}
        for block in process.blocks
    }
    assert stages["stage.labels"] == {"level"}
    assert stages["stage.structured_metadata"] == set(shipping.METADATA)
    assert len(shipping.LABELS) == 4


BROKEN = {
    "a misspelt block": ("discovery.relabel", "discovery.relabels"),
    "a misspelt argument": ("refresh_interval", "refresh_intervall"),
    "a reference that leads nowhere": ("loki.write.loki.receiver", "loki.write.other.receiver"),
    "a function that there is not": ("sys.env", "sys.environment"),
    "a stage outside of a process": ("logging {", "stage.pack {"),
}


@pytest.mark.parametrize(("good", "bad"), BROKEN.values(), ids=list(BROKEN))
def test_what_alloy_would_refuse_is_found(good: str, bad: str) -> None:
    assert alloy.problems(ALLOY.replace(good, bad, 1))


@pytest.mark.parametrize("text", ["logging {", "}", 'loki.write "x" { endpoint { }', "logging { level = [ }"])
def test_brackets_that_do_not_balance_are_found(text: str) -> None:
    with pytest.raises(alloy.BadSyntax):
        alloy.parsed(text)


def test_variables_are_read_from_metrics_that_exist() -> None:
    for query in queries().values():
        metric, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        assert declared.unknown(metric) == []
        known = declared.known_series().get(metric.split("{")[0])
        assert known is None or label in known.labels


def test_loki_may_keep_its_lines_in_a_bucket() -> None:
    made = loki.configuration(loki.Keeping(bucket="weeds-logs"))
    assert made["common"]["storage"] == {"s3": {"bucketnames": "weeds-logs", "region": "${AWS_REGION}"}}
    assert made["schema_config"]["configs"][0]["object_store"] == made["compactor"]["delete_request_store"] == "s3"
    assert set(loki.configuration(loki.Keeping())["common"]["storage"]) == {"filesystem"}

"""The shape of Grafana's provisioning files, as its own structs read them; an unknown key is an error here."""

# ruff: noqa: N815 - the names are Grafana's

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
Duration = Annotated[str, Field(pattern=r"^(\d+[smhd])+$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Exemplar(Strict):
    name: str
    url: str
    urlDisplayLabel: str


class DerivedField(Strict):
    name: str
    matcherType: Literal["label", "regex"]
    matcherRegex: str
    url: str
    urlDisplayLabel: str


class PrometheusData(Strict):
    httpMethod: Literal["POST", "GET"]
    prometheusType: Literal["Prometheus"]
    timeInterval: Duration
    exemplarTraceIdDestinations: list[Exemplar]


class LokiData(Strict):
    maxLines: int
    derivedFields: list[DerivedField]


class PostgresData(Strict):
    database: str
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"]
    postgresVersion: int
    maxOpenConns: int
    maxIdleConns: int
    connMaxLifetime: int


class Secret(Strict):
    password: Annotated[str, Field(pattern=r"^\$(__file\{/.+\}|[A-Z_]+|\{[A-Z_]+\})$")]


class Source(Strict):
    name: str
    uid: Uid
    access: Literal["proxy"]
    orgId: int
    url: str
    editable: Literal[False]
    isDefault: bool = False


class PrometheusSource(Source):
    type: Literal["prometheus"]
    jsonData: PrometheusData


class LokiSource(Source):
    type: Literal["loki"]
    jsonData: LokiData


class PostgresSource(Source):
    type: Literal["grafana-postgresql-datasource"]
    user: str
    jsonData: PostgresData
    secureJsonData: Secret


class Datasources(Strict):
    apiVersion: Literal[1]
    datasources: list[Annotated[PrometheusSource | LokiSource | PostgresSource, Field(discriminator="type")],]


class Options(Strict):
    path: str


class Provider(Strict):
    name: str
    orgId: int
    folder: str
    folderUid: Uid
    type: Literal["file"]
    disableDeletion: bool
    allowUiUpdates: bool
    updateIntervalSeconds: int
    options: Options


class Dashboards(Strict):
    apiVersion: Literal[1]
    providers: list[Provider]


class Receiver(Strict):
    uid: Uid
    type: Literal["prometheus-alertmanager"]
    disableResolveMessage: bool
    settings: dict[str, str]


class ContactPoint(Strict):
    orgId: int
    name: str
    receivers: list[Receiver]


class Policy(Strict):
    orgId: int
    receiver: str
    group_by: list[str]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration


class TimeRange(Strict):
    from_: int = Field(alias="from")
    to: int


class Query(Strict):
    refId: str
    relativeTimeRange: TimeRange
    datasourceUid: str
    model: dict[str, Any]


class Rule(Strict):
    uid: Uid
    title: str
    condition: str
    data: list[Query]
    noDataState: Literal["Alerting", "NoData", "OK", "KeepLast"]
    execErrState: Literal["Alerting", "Error", "OK", "KeepLast"]
    for_: Duration = Field(alias="for")
    dashboardUid: Uid
    panelId: int
    labels: dict[str, str]
    annotations: dict[str, str]

    @model_validator(mode="after")
    def condition_is_a_query(self) -> "Rule":
        if self.condition not in {query.refId for query in self.data}:
            raise ValueError("its condition is none of its queries")
        return self


class Group(Strict):
    orgId: int
    name: str
    folder: str
    interval: Duration
    rules: list[Rule]


class Alerting(Strict):
    apiVersion: Literal[1]
    contactPoints: list[ContactPoint]
    policies: list[Policy]
    groups: list[Group]

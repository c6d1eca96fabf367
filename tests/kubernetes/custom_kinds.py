"""Small schemas of the kinds that others' operators bring: all fields that we use, and no other."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 1}
TRUTH: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
QUANTITY: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?$"}
DURATION: Schema = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}


def a(required: str = "", **fields: Schema) -> Schema:
    """An object with these fields alone."""
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def several(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def _kind(version: str, kind: str, spec: Schema) -> tuple[tuple[str, str], Schema]:
    meta = a("name", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
    schema = a(
        "apiVersion kind metadata spec", apiVersion={"const": version}, kind={"const": kind}, metadata=meta, spec=spec
    )
    return (version, kind), schema


_SELECTOR = a("matchLabels", matchLabels=TEXTS)
_RELABELING = a(
    sourceLabels=several(TEXT),
    regex=TEXT,
    targetLabel=TEXT,
    replacement=TEXT,
    action={"enum": ["replace", "keep", "drop", "labeldrop", "labelkeep", "labelmap", "hashmod"]},
)
_ENDPOINT = a(
    "port path interval",
    port=TEXT,
    path={"type": "string", "pattern": "^/"},
    interval=DURATION,
    params={"type": "object", "additionalProperties": several(TEXT)},
    relabelings=several(_RELABELING),
)
_RULE: Schema = {
    **a(
        "expr",
        alert=TEXT,
        record=TEXT,
        expr=TEXT,
        **{"for": DURATION},
        keep_firing_for=DURATION,
        labels=TEXTS,
        annotations=TEXTS,
    ),
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
}
_RESOURCES = a("requests limits", requests=a(cpu=QUANTITY, memory=QUANTITY), limits=a(cpu=QUANTITY, memory=QUANTITY))
_VOLUME = a("size", size=QUANTITY)
_KEY = a("name key", name=TEXT, key=TEXT)
_ROLE = a(
    "name",
    name=TEXT,
    ensure={"enum": ["present", "absent"]},
    login=TRUTH,
    inherit=TRUTH,
    superuser=TRUTH,
    connectionLimit={"type": "integer"},
    passwordSecret=a("name", name=TEXT),
)
_COMPRESSED = a(compression={"enum": ["bzip2", "gzip", "lz4", "snappy", "xz", "zstd"]})

_MONITOR = a("selector endpoints", selector=_SELECTOR, endpoints=several(_ENDPOINT))
_RULES = a("groups", groups=several(a("name rules", name=TEXT, interval=DURATION, rules=several(_RULE))))
_CLUSTER = a(
    "instances storage bootstrap imageName",
    instances=COUNT,
    imageName=TEXT,
    enableSuperuserAccess=TRUTH,
    bootstrap=a("initdb", initdb=a("database owner", database=TEXT, owner=TEXT, dataChecksums=TRUTH)),
    managed=a(roles=several(_ROLE)),
    postgresql=a(parameters=TEXTS),
    storage=_VOLUME,
    walStorage=_VOLUME,
    affinity=a(enablePodAntiAffinity=TRUTH, topologyKey=TEXT),
    resources=_RESOURCES,
    plugins=several(a("name", name=TEXT, isWALArchiver=TRUTH, parameters=TEXTS)),
)
_OBJECT_STORE = a(
    "configuration",
    retentionPolicy={"type": "string", "pattern": "^[1-9][0-9]*[dwm]$"},
    configuration=a(
        "destinationPath",
        destinationPath={"type": "string", "pattern": "^(s3|gs|https)://"},
        endpointURL=TEXT,
        s3Credentials=a("accessKeyId secretAccessKey", accessKeyId=_KEY, secretAccessKey=_KEY),
        wal=_COMPRESSED,
        data=_COMPRESSED,
    ),
)
_SCHEDULED_BACKUP = a(
    "schedule cluster method",
    schedule={"type": "string", "pattern": r"^(\S+ ){5}\S+$"},
    backupOwnerReference={"enum": ["none", "self", "cluster"]},
    cluster=a("name", name=TEXT),
    method={"enum": ["plugin", "volumeSnapshot", "barmanObjectStore"]},
    pluginConfiguration=a("name", name=TEXT),
)
# A predictor is a pod with some fields more: what is a pod's is checked as a pod.
_PREDICTOR: Schema = {
    "type": "object",
    "required": ["containers"],
    "properties": {
        "minReplicas": {"type": "integer", "minimum": 0},
        "maxReplicas": COUNT,
        "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]},
        "scaleTarget": COUNT,
        "timeout": COUNT,
        "labels": TEXTS,
        "containers": {"contains": {"properties": {"name": {"const": "kserve-container"}}}},
    },
}

SCHEMAS = dict(
    (
        _kind("monitoring.coreos.com/v1", "ServiceMonitor", _MONITOR),
        _kind("monitoring.coreos.com/v1", "PrometheusRule", _RULES),
        _kind("postgresql.cnpg.io/v1", "Cluster", _CLUSTER),
        _kind("postgresql.cnpg.io/v1", "ScheduledBackup", _SCHEDULED_BACKUP),
        _kind("barmancloud.cnpg.io/v1", "ObjectStore", _OBJECT_STORE),
        _kind("serving.kserve.io/v1beta1", "InferenceService", a("predictor", predictor=_PREDICTOR)),
    )
)

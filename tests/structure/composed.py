"""What the Compose files say, as the tables of docs/ports.md."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BASE, DEVELOPMENT, PRODUCTION = "compose.yaml", "deploy/compose.dev.yaml", "deploy/compose.prod.yaml"
FILES = (BASE, DEVELOPMENT, PRODUCTION, "deploy/compose.gpu.yaml", "deploy/compose.logs.yaml")
MADE_BY = "python -m tests.structure.generated"

WHAT = {
    "edge": "nginx: TLS, the pages, limits; passes on what is for the service",
    "control-plane-1": "the service itself, first replica",
    "control-plane-2": "the service itself, second replica",
    "control-plane-surge": "one more replica while the others are replaced (`make deploy`)",
    "torchserve": "Java and the workers that look at pictures",
    "quarantine": "checks uploaded versions; reaches nobody",
    "archives": "ends when the model store is filled",
    "certificate": "ends when there is a certificate",
    "postgres": "records, keys, audit, versions",
    "redis": "counts requests for all replicas; keeps nothing",
    "backup": "makes backups, by the clock",
    "prometheus": "metrics, and which alerts fire",
    "alertmanager": "tells people",
    "loki": "the logs of all containers",
    "alloy": "brings them there",
    "docker-proxy": "lets questions about containers by, and nothing else",
    "grafana": "dashboards",
}
VARIABLES = {
    "WEEDWATCH_TAG": "Tag of our images. `make deploy` and `make rollback` write it.",
    "COMPOSE_PROJECT_NAME": "Name of the project: its containers, networks and volumes begin with it, and Alloy reads "
    "no others.",
    "WEEDWATCH_REVISION": "Label of images that Compose builds by itself; `make images` knows it from git.",
    "WEEDWATCH_NAME": "The name that users know, for the self-signed certificate and for what `make up` prints.",
    "WEEDWATCH_ADDRESS": "Address of the machine that the edge listens at; 127.0.0.1 closes it to others.",
    "WEEDWATCH_HTTP_PORT": "Where plain HTTP is led to HTTPS.",
    "WEEDWATCH_HTTPS_PORT": "Where the service is.",
    "WEEDWATCH_GRAFANA_PORT": "Grafana, on this machine alone.",
    "WEEDWATCH_EDGE_CERTIFICATES": "Folder or volume with `fullchain.pem` and `privkey.pem`.",
    "WEEDWATCH_AUTH": "`keys` or `oidc`, see [security.md](security.md).",
    "WEEDWATCH_MODEL": "The model that answers.",
    "WEEDWATCH_ANSWER_CACHE": "Answers that each replica keeps for pictures that come again.",
    "WEEDWATCH_SIGN_IN_ORIGIN": "With `oidc`: the provider's origin, which the page may connect to.",
    "WEEDWATCH_FRONT_SUBNET": "Network between edge and replicas; proxies in it are believed.",
    "WEEDWATCH_BACKUP_URL": "Where backups lie: a folder of the container, `s3://…` or `gs://…`.",
    "WEEDWATCH_METRICS_DAYS": "So long Prometheus keeps what it scraped.",
    "WEEDWATCH_OBSERVABILITY": "Folder that `make alerts` or `python -m observability write` wrote.",
    "WEEDWATCH_ALERT_SECRETS": "Folder with the secrets of Alertmanager's channels.",
    "TORCHSERVE_MEMORY": "Most memory of TorchServe in production; a worker needs about half a gigabyte.",
    "AWS_REGION": "Region of the bucket of `deploy/compose.logs.yaml`.",
    "TORCHSERVE_CPUS": "Most cores of TorchServe in production; not more than the machine has.",
    "EDGE_REQUESTS_PER_SECOND": "What the edge takes from one address, in a second.",
    "EDGE_BURST": "And at once after a pause.",
    "EDGE_CONNECTIONS": "And at the same time.",
    "POSTGRES_IMAGE": "Another image, or the same by digest; `make pin` writes these.",
    "REDIS_IMAGE": "",
    "PROMETHEUS_IMAGE": "",
    "ALERTMANAGER_IMAGE": "",
    "LOKI_IMAGE": "",
    "ALLOY_IMAGE": "",
    "DOCKER_PROXY_IMAGE": "",
    "GRAFANA_IMAGE": "",
}
DIAGRAM = """flowchart LR
  people([people, programs]) -- "443, 80" --> edge
  operator([operator, on the machine]) -- "3002" --> grafana
  subgraph front
    edge
  end
  edge -- "8000" --> control-plane-1 & control-plane-2 & control-plane-surge
  subgraph inference
    torchserve
  end
  control-plane-1 & control-plane-2 -- "8080-8082, photos in memory" --> torchserve
  subgraph no network
    quarantine
    archives
    certificate
  end
  control-plane-1 -. "uploads, by a folder" .-> quarantine
  archives -. "model store" .-> torchserve
  certificate -. "certificate" .-> edge
  subgraph data
    postgres
    redis
    backup
  end
  control-plane-1 & control-plane-2 -- "5432" --> postgres
  control-plane-1 & control-plane-2 -- "6379" --> redis
  backup --> postgres
  subgraph monitoring
    prometheus -- "9093" --> alertmanager
    grafana -- "9090, 3100, 9093" --> prometheus & loki
    alloy -- "3100" --> loki
    alloy --> docker-proxy
  end
  prometheus -- "9100" --> control-plane-1 & control-plane-2
  prometheus -- "9113" --> edge
  grafana -- "5432, as a role that reads" --> postgres
  alertmanager --> told([mail, chat])"""


class _Loader(yaml.SafeLoader):
    """Knows Compose's own tags, which say how overlays are joined."""


def _joined(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None


_Loader.add_constructor("!override", _joined)
_Loader.add_constructor("!reset", _joined)


@cache
def said(name: str) -> dict[str, Any]:
    loaded = yaml.load((ROOT / name).read_text(), _Loader)  # noqa: S506 - a SafeLoader with two more tags
    assert isinstance(loaded, dict)
    return loaded


def services(name: str = BASE) -> dict[str, dict[str, Any]]:
    return dict(said(name)["services"])


def variables() -> dict[str, str]:
    """Variable → default, as the files first name it."""
    found: dict[str, str] = {}
    for file in FILES:
        for name, default in re.findall(r"\$\{(\w+)(?::-([^}]*))?\}", (ROOT / file).read_text()):
            found.setdefault(name, default)
    return found


def plain(value: object) -> str:
    """With the defaults of variables in their place."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def published(name: str) -> list[tuple[str, str, str]]:
    """Service, address on the host, port in the container."""
    found = []
    for service, one in services(name).items():
        for port in one.get("ports", []):
            host, _, inner = plain(port).rpartition(":")
            found.append((service, host if ":" in host else f"0.0.0.0:{host}", inner))
    return found


def networks_of(one: dict[str, Any]) -> list[str]:
    if one.get("network_mode") == "none":
        return []
    return list(one.get("networks", {"default": None}))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def service_rows() -> list[tuple[str, ...]]:
    limits = services(PRODUCTION)
    rows: list[tuple[str, ...]] = []
    for name, one in services().items():
        limit = limits.get(name, {}).get("deploy", {}).get("resources", {}).get("limits", {})
        profile = f"profile `{one['profiles'][0]}`" if one.get("profiles") else ""
        where = ", ".join(networks_of(one)) or "none"
        kept = ", ".join(
            sorted(
                {plain(each).split(":")[0] for each in one.get("volumes", []) if not plain(each).startswith(("/", "."))}
            )
        )
        rows.append(
            (
                f"`{name}`",
                WHAT.get(name, "") + (f"; {profile}" if profile else ""),
                f"`{plain(one['image'])}`",
                where,
                kept or "–",
                plain(f"{limit.get('memory', '–')}, {limit.get('cpus', '–')} cores"),
            )
        )
    return rows


def port_rows() -> list[tuple[str, ...]]:
    instead = re.findall(
        r"^  ([\w-]+):\n(?: {4}.*\n)*? {4}ports: !override", (ROOT / DEVELOPMENT).read_text(), re.MULTILINE
    )
    rows: list[tuple[str, ...]] = []
    for name, when in ((BASE, "always"), (DEVELOPMENT, "development")):
        for service, host, inner in published(name):
            also = "not in development" if name == BASE and service in instead else when
            rows.append((f"`{host}`", f"`{service}`:{inner}", WHAT.get(service, ""), also))
    return rows


def network_rows() -> list[tuple[str, ...]]:
    return [
        (
            f"`{network}`",
            "leads nowhere else" if (how or {}).get("internal") else "leads outside",
            ", ".join(f"`{name}`" for name, one in services().items() if network in networks_of(one)),
        )
        for network, how in said(BASE)["networks"].items()
    ]


def comparison_rows() -> list[tuple[str, ...]]:
    development, production = services(DEVELOPMENT), services(PRODUCTION)
    one = services()["control-plane-1"]

    def ports(name: str) -> str:
        own = [f"`{host}`" for _, host, _ in published(name)]
        return ", ".join(own) if own else "as `compose.yaml`"

    replicas = 1 + ("profiles" in production["control-plane-2"] and not production["control-plane-2"]["profiles"])
    level = development["control-plane-1"]["environment"]["WEEDWATCH_LOG_LEVEL"]
    overlays = (DEVELOPMENT, PRODUCTION)
    rules = "read-only roots, no capabilities, no new privileges"
    return [
        ("replicas of the control plane", "1", "1", str(replicas)),
        ("code", "of the image", "of this folder, started again when it changes", "of the image"),
        ("published", ports(BASE), ports(DEVELOPMENT), ports(PRODUCTION)),
        ("restart", str(one["restart"]), "the same; the control plane: never", str(production["edge"]["restart"])),
        ("limits of memory, cores, processes", "none", "none", "for each service"),
        ("log level", "INFO", str(level), "INFO"),
        ("roots, capabilities", rules, rules, rules),
        ("secrets", "files in `deploy/secrets`", "the same", "the same"),
        ("line of `.env` before `make up`", "none", *(f"`COMPOSE_FILE={BASE}:{each}`" for each in overlays)),
    ]  # fmt: skip


def variable_rows() -> list[tuple[str, ...]]:
    return [
        (f"`{name}`", f"`{default}`" if default else "none", VARIABLES.get(name) or "as for the other images")
        for name, default in variables().items()
    ]


def ports_page() -> str:
    lines = [
        "# Services, ports and settings of the stack",
        "",
        f"Made from `{BASE}` and its overlays by `{MADE_BY}`. What to do with it: [operations.md](operations.md).",
        "",
        "```mermaid",
        DIAGRAM,
        "```",
        "",
        "## Ports of the machine",
        "",
        *table(("Address", "Leads to", "What", "When"), port_rows()),
        "",
        "Under `make run`, without Docker: 127.0.0.1:8000; with `make observe` 9090 and 9093 too",
        "([running.md](running.md)).",
        "",
        "## Services",
        "",
        *table(("Service", "What", "Image", "Networks", "Keeps in", "Limits in production"), service_rows()),
        "",
        "Workers of jobs and MLflow are to come; a comment in `compose.yaml` keeps their places.",
        "",
        "## Networks",
        "",
        *table(("Network", "Where to", "Who is on it"), network_rows()),
        "",
        "No service uses the machine's own network. `quarantine`, `archives` and `certificate` have none at all.",
        "",
        "## Development and production",
        "",
        *table(("", f"`{BASE}` alone", f"with `{DEVELOPMENT}`", f"with `{PRODUCTION}`"), comparison_rows()),
        "",
        "## Settings of the stack",
        "",
        "Lines of `.env` beside `compose.yaml`. Those of the control plane ([settings.md](settings.md)) go into",
        "`deploy/settings.env`.",
        "",
        *table(("Variable", "Default", "What"), variable_rows()),
        "",
        "Beside them: `COMPOSE_FILE` (which files), `WEEDWATCH_REGISTRY` (where `make fetch` takes images from; they",
        "are built if it is not set), `TORCH` (`cpu`, `cuda` or `wheels:FOLDER`, for building),",
        "`WEEDWATCH_GRAFANA_URL` (where people reach Grafana) and the channels of [alerts](alerts.md#channels),",
        "for `make alerts`.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"

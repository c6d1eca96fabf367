"""Alloy's configuration: it finds the containers, reads their lines, and sends them to Loki.

Labels are few, since each combination is a stream of its own: service, container, level, env. Ids of requests and
traces, of which there are as many as requests, are structured metadata: searched as fast, without a stream each.
"""

from dataclasses import dataclass

METADATA = ("request_id", "trace_id")
LABELS = ("service", "container", "level", "env")
PROJECT = "WEEDWATCH_PROJECT"
"""Alloy's variable with the name of the Compose project whose containers it reads."""


@dataclass(frozen=True)
class Shipping:
    """Which containers, and where to. `docker`: the socket, or the address of a proxy that lets only reading by.

    `project`: whose containers, where the environment does not say it.
    """

    docker: str = "tcp://docker-proxy:2375"
    project: str = "weedwatch"
    env: str = "production"
    loki: str = "http://loki:3100"


def configuration(shipping: Shipping) -> str:
    metadata = "".join(f'      {name} = "",\n' for name in METADATA)
    return f"""\
// Made by `python -m observability write`; change observability/alloy.py, not this file.

logging {{
  level  = "info"
  format = "json"
}}

discovery.docker "containers" {{
  host             = "{shipping.docker}"
  refresh_interval = "5s"

  filter {{
    name   = "label"
    values = ["com.docker.compose.project=" + coalesce(sys.env("{PROJECT}"), "{shipping.project}")]
  }}
}}

discovery.relabel "containers" {{
  targets = discovery.docker.containers.targets

  rule {{
    source_labels = ["__meta_docker_container_label_com_docker_compose_service"]
    target_label  = "service"
  }}

  rule {{
    source_labels = ["__meta_docker_container_name"]
    regex         = "/(.*)"
    target_label  = "container"
  }}
}}

loki.source.docker "containers" {{
  host       = "{shipping.docker}"
  targets    = discovery.relabel.containers.output
  labels     = {{
    env = "{shipping.env}",
  }}
  forward_to = [loki.process.lines.receiver]
}}

loki.process "lines" {{
  forward_to = [loki.write.loki.receiver]

  // A line that is no JSON goes on as it is, without a level.
  stage.json {{
    expressions = {{
      level = "",
{metadata}    }}
  }}

  // Ours are in capitals; those of other programs become so. Without a level it stays empty, which is none to Loki.
  stage.template {{
    source   = "level"
    template = "{{{{ ToUpper .Value }}}}"
  }}

  stage.labels {{
    values = {{
      level = "",
    }}
  }}

  stage.structured_metadata {{
    values = {{
{metadata}    }}
  }}
}}

loki.write "loki" {{
  endpoint {{
    url = "{shipping.loki}/loki/api/v1/push"
  }}
}}
"""

"""`python -m observability`: `write` the generated files, `check` them, `fetch` the programs, `prepare` to run them."""

import argparse
import json
import os
from pathlib import Path

from observability import commands, declared, generate, programs
from observability.channels import Channels, WrongChannels
from observability.debian import CannotFetch
from observability.loki import Keeping
from observability.places import Places
from observability.prometheus import Targets


def main() -> int:
    options = _parser().parse_args()
    try:
        return {"write": _write, "check": _check, "fetch": _fetch, "prepare": _prepare}[options.command](options)
    except (CannotFetch, WrongChannels) as problem:
        print(problem)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m observability", description="Dashboards, rules, configuration.")
    parts = parser.add_subparsers(dest="command", required=True)
    write = parts.add_parser("write", help="write the generated files")
    write.add_argument("folder", nargs="?", type=Path, default=generate.GENERATED)
    write.add_argument("--log-days", type=int, default=Keeping.days, help="how long Loki keeps lines")
    write.add_argument("--log-bucket", help="bucket of S3 in which Loki keeps them; files on its disk without one")
    write.add_argument("--secrets-at", help="folder in which Alertmanager sees the files of secrets, in a container")
    parts.add_parser("check", help="say which panels and rules use what nobody tells")
    parts.add_parser("fetch", help="get Prometheus and Alertmanager")
    prepare = parts.add_parser("prepare", help="write what Prometheus and Alertmanager need; print how they start")
    prepare.add_argument("folder", type=Path)
    prepare.add_argument("--control-plane", action="append", required=True, help="HOST:PORT of its metrics; several")
    prepare.add_argument("--prometheus-port", type=int, default=9090)
    prepare.add_argument("--alertmanager-port", type=int, default=9093)
    write.add_argument("--grafana", default=Places.grafana, help="address of Grafana in links")
    prepare.add_argument("--grafana", default="", help="address of Grafana in links; without one there are none to it")
    for part in (write, prepare):
        part.add_argument("--service", default=Places.service, help="address of the service in links")
    return parser


def _write(options: argparse.Namespace) -> int:
    # What is committed is nobody's own: it names no channels.
    channels = _channels() if options.folder != generate.GENERATED else Channels()
    if options.secrets_at:
        channels = channels.at(options.secrets_at)
    places, keeping = Places(options.service, options.grafana), Keeping(options.log_days, bucket=options.log_bucket)
    setup = generate.Setup(places, channels=channels, keeping=keeping)
    generate.write(options.folder, generate.files(setup))
    if options.folder == generate.GENERATED:
        generate.write(generate.ROOT, generate.elsewhere())
    return 0


def _channels() -> Channels:
    return Channels.from_environment(os.environ)


def _check(_options: argparse.Namespace) -> int:
    problems = declared.check()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _fetch(_options: argparse.Namespace) -> int:
    for name in programs.PROGRAMS:
        print(programs.program(name))
    return 0


def _prepare(options: argparse.Namespace) -> int:
    prometheus, alertmanager = options.prometheus_port, options.alertmanager_port
    targets = Targets(tuple(options.control_plane), f"127.0.0.1:{prometheus}", f"127.0.0.1:{alertmanager}")
    setup = generate.Setup(Places(options.service, options.grafana), targets, _channels())
    generate.write(options.folder, generate.monitoring(setup))
    starts = {
        "prometheus": commands.prometheus(options.folder, prometheus),
        "alertmanager": commands.alertmanager(options.folder, alertmanager),
    }
    print(json.dumps(starts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

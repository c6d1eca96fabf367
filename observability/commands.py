"""How Prometheus and Alertmanager are started on what `generate.monitoring` wrote; on loopback only."""

from pathlib import Path

from observability.programs import program
from observability.prometheus import FLAGS


def prometheus(folder: Path, port: int) -> tuple[str, ...]:
    """`folder`: the one with `prometheus/`; its data goes there too."""
    return (
        str(program("prometheus")),
        f"--config.file={folder / 'prometheus' / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus' / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.format=json",
        *FLAGS,
    )


def alertmanager(folder: Path, port: int) -> tuple[str, ...]:
    """`folder`: the one with `alertmanager/`; its data goes there too. Alone: it looks for no others."""
    return (
        str(program("prometheus-alertmanager")),
        f"--config.file={folder / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager' / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.format=json",
    )

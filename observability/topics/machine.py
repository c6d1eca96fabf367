"""The machine that it runs on: processors, memory, disk, and what our own processes take of them."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic

_WHERE = '{instance=~"$replica"}'
_OURS = '{job="control_plane", instance=~"$replica"}'
_MEMORY = "weedwatch_machine_memory_used_bytes{w} / weedwatch_machine_memory_total_bytes{w}"
_DISK = "1 - weedwatch_machine_disk_free_bytes{w} / weedwatch_machine_disk_total_bytes{w}"
_GIB = 2**30


def _memory(used: float) -> Case:
    return Case(
        {
            'weedwatch_machine_memory_used_bytes{instance="one"}': f"{used * 16 * _GIB:.0f}x30",
            'weedwatch_machine_memory_total_bytes{instance="one"}': f"{16 * _GIB}x30",
        },
        labels={"instance": "one"},
        value=f"{used:.0%}",
    )


def _disk(used: float) -> Case:
    return Case(
        {
            'weedwatch_machine_disk_free_bytes{instance="one"}': f"{(1 - used) * 100 * _GIB:.0f}x30",
            'weedwatch_machine_disk_total_bytes{instance="one"}': f"{100 * _GIB}x30",
        },
        labels={"instance": "one"},
        value=f"{used:.0%}",
    )


TOPIC = Topic(
    "machine",
    rows=(
        Row(
            "infrastructure",
            "Machine",
            (
                Panel(
                    "machine-cpu",
                    "Processors",
                    "Busy part of all processors. Near 100 % for long: predictions wait for it; add workers elsewhere.",
                    "timeseries",
                    "percentunit",
                    (Prom(f"weedwatch_machine_cpu_ratio{_WHERE}", "{{instance}}"),),
                    most=1,
                    steps=((None, "green"), (0.9, "orange")),
                ),
                Panel(
                    "machine-memory",
                    "Memory",
                    "Memory in use of all there is. At the line it begins to swap, or the kernel ends workers.",
                    "timeseries",
                    "percentunit",
                    (Prom(_MEMORY.format(w=_WHERE), "{{instance}}"),),
                    most=1,
                    steps=((None, "green"), (limits.MEMORY_RATIO, "red")),
                ),
                Panel(
                    "machine-disk",
                    "Disk",
                    "The disk with the state folder: database, spool, kept photos, logs. Full: records cannot be kept.",
                    "timeseries",
                    "percentunit",
                    (Prom(_DISK.format(w=_WHERE), "{{instance}}"),),
                    most=1,
                    steps=((None, "green"), (limits.DISK_RATIO, "red")),
                ),
                Panel(
                    "machine-disk-free",
                    "Free space",
                    "What is left on the disk with the state folder.",
                    "stat",
                    "bytes",
                    (Prom(f"weedwatch_machine_disk_free_bytes{_WHERE}", "{{instance}}"),),
                    width=6,
                ),
                Panel(
                    "process-memory",
                    "Memory of the control plane",
                    "What each control plane holds. A line that rises for days is a leak.",
                    "timeseries",
                    "bytes",
                    (Prom(f"process_resident_memory_bytes{_OURS}", "{{instance}}"),),
                    width=6,
                ),
                Panel(
                    "process-cpu",
                    "Processors of the control plane",
                    "Seconds of processor time a second. 1 is a whole processor, all that one process can use.",
                    "timeseries",
                    "short",
                    (Prom(f"rate(process_cpu_seconds_total{_OURS}[$__rate_interval])", "{{instance}}"),),
                    width=6,
                    steps=((None, "green"), (0.9, "orange")),
                ),
                Panel(
                    "process-files",
                    "Open files",
                    "Open files and sockets of each control plane, as part of what it may open.",
                    "timeseries",
                    "percentunit",
                    (Prom(f"process_open_fds{_OURS} / process_max_fds{_OURS}", "{{instance}}"),),
                    width=6,
                    steps=((None, "green"), (limits.DISK_RATIO, "orange")),
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "MemoryHigh",
            f"{_MEMORY.format(w='')} > {limits.MEMORY_RATIO}",
            "warning",
            "The machine of {{ $labels.instance }} is running out of memory.",
            "Soon the kernel ends a process, and the largest ones are the workers and PostgreSQL. They come back, "
            "but what they were doing is lost.",
            (
                "See which process holds it: `ps -eo rss,args --sort -rss | head`, and the panel of the control plane.",
                "Workers: each takes its share. Give the version fewer (`weedwatch models workers plants 1 1`), or "
                "forget a version that nobody needs.",
                "Something else on the machine: move it, or give the machine more memory.",
                "The control plane's own line rises for days: restart it, and report it with the graph.",
            ),
            "machine-memory",
            fires=_memory(0.95),
            quiet=_memory(0.8),
            for_seconds=120,
            value="{{ $value | humanizePercentage }}",
        ),
        Alert(
            "DiskFilling",
            f"{_DISK.format(w='')} > {limits.DISK_RATIO}",
            "warning",
            "The disk of {{ $labels.instance }} is filling up.",
            "Database, spool, kept photos and logs share it. When it is full, predictions are refused: an answer that "
            "cannot be recorded is not given.",
            (
                "See what takes it: `du -xh --max-depth=2 STATE_FOLDER | sort -h | tail`.",
                "The spool has grown: the database is away. See the alert SpoolGrowing.",
                "Photos or history: shorten WEEDWATCH_KEEP_PICTURES_DAYS or WEEDWATCH_KEEP_HISTORY_DAYS.",
                "Old model versions: `weedwatch models rm plants 1` forgets one; its archive stays in the model store "
                "until you remove it.",
                "Else make the disk larger.",
            ),
            "machine-disk",
            fires=_disk(0.9),
            quiet=_disk(0.7),
            for_seconds=120,
            value="{{ $value | humanizePercentage }}",
        ),
    ),
)

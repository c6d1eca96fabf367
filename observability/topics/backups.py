"""How old the newest backup is."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic

# Where none was ever made, the oldest record is what has waited for one. Without records there is nothing to lose.
_AGE = (
    "time() - (max(weedwatch_newest_backup_timestamp_seconds > 0)"
    " or max(weedwatch_oldest_record_timestamp_seconds > 0))"
)
_DAY = 86400
_BACKUP = 'weedwatch_newest_backup_timestamp_seconds{instance="one"}'
_RECORD = 'weedwatch_oldest_record_timestamp_seconds{instance="one"}'

TOPIC = Topic(
    "backups",
    rows=(
        Row(
            "infrastructure",
            "Backups",
            (
                Panel(
                    "backup-age",
                    "Newest backup",
                    "How old the newest backup is; how old the oldest record, while none was ever made.",
                    "stat",
                    "s",
                    (Prom(_AGE, "age"),),
                    width=24,
                    height=4,
                    steps=((None, "green"), (limits.BACKUP_DAYS * _DAY, "red")),
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "BackupOld",
            f"{_AGE} > {limits.BACKUP_DAYS * _DAY}",
            "warning",
            "No backup was made for two days.",
            "What was recorded since the newest one would be lost with this machine; everything, if there is none.",
            (
                "There never was one: begin with `python -m backup keep`, in Compose `docker compose --profile backup "
                "up -d backup`.",
                "Does what makes them run (`python -m backup keep`, in Compose the service `backup`)? Its log says why "
                "none was made.",
                "Make one by hand: `python -m backup make`; the sentence that it ends with says what is wrong.",
                "Its place is full or refuses: `prune`, or fewer days (WEEDWATCH_BACKUP_DAILY, _WEEKLY); credentials.",
            ),
            "backup-age",
            fires=Case({_BACKUP: "0x3200", _RECORD: "60x3200"}, at="3060m", value="2d 2h 59m 0s"),
            quiet=Case({_BACKUP: "0x60", _RECORD: "60x60"}),
            value="{{ $value | humanizeDuration }}",
        ),
    ),
)

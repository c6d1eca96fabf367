"""Where answers are kept: PostgreSQL, the spool, the audit; and who leads."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Sql, Topic

_WHERE = 'instance=~"$replica"'
_MIB = 2**20


def _spool(values: str, limit: int = 64 * _MIB) -> dict[str, str]:
    return {
        'weedwatch_spool_bytes{instance="one"}': values,
        'weedwatch_spool_limit_bytes{instance="one"}': f"{limit}x30",
    }


_ONE = {"instance": "one"}

TOPIC = Topic(
    "records",
    rows=(
        Row(
            "infrastructure",
            "Records",
            (
                Panel(
                    "database-up",
                    "PostgreSQL answers",
                    "Whether each replica reaches PostgreSQL. While it is away records go to the spool, and "
                    "predictions go on.",
                    "state",
                    "none",
                    (Prom(f"weedwatch_database_up{{{_WHERE}}}", "{{instance}}"),),
                    width=8,
                ),
                Panel(
                    "database-uptime",
                    "PostgreSQL, share of the time",
                    "Part of the shown time in which PostgreSQL answered; 99.9 % is expected.",
                    "stat",
                    "percentunit",
                    (
                        Prom(
                            f"avg(avg_over_time(weedwatch_database_up{{{_WHERE}}}[$__range]))", "answered", instant=True
                        ),
                    ),
                    width=4,
                    decimals=3,
                    steps=((None, "red"), (limits.DATABASE_UP_RATIO, "green")),
                ),
                Panel(
                    "spool-fill",
                    "Spool",
                    "Bytes of records on disk that wait for PostgreSQL, as part of what the spool may take. Full: "
                    "predictions are refused.",
                    "timeseries",
                    "percentunit",
                    (
                        Prom(
                            f"weedwatch_spool_bytes{{{_WHERE}}} / weedwatch_spool_limit_bytes{{{_WHERE}}}",
                            "{{instance}}",
                        ),
                    ),
                    width=6,
                    most=1,
                    steps=((None, "green"), (limits.SPOOL_RATIO, "red")),
                ),
                Panel(
                    "spool-records",
                    "Records through the spool",
                    "Records a second that went to the spool and came home; put aside: those that nobody can store, "
                    "kept in a file of their own.",
                    "timeseries",
                    "short",
                    (
                        Prom(f"sum(rate(weedwatch_spooled_records_total{{{_WHERE}}}[$__rate_interval]))", "spooled"),
                        Prom(f"sum(rate(weedwatch_replayed_records_total{{{_WHERE}}}[$__rate_interval]))", "came home"),
                        Prom(
                            f"sum(rate(weedwatch_quarantined_records_total{{{_WHERE}}}[$__rate_interval]))",
                            "put aside",
                        ),
                    ),
                    width=6,
                ),
                Panel(
                    "database-pool",
                    "Connections",
                    "The pool of each replica: used, free, and how many it may have.",
                    "timeseries",
                    "short",
                    (Prom(f"weedwatch_database_connections{{{_WHERE}}}", "{{instance}} {{state}}"),),
                    width=8,
                ),
                Panel(
                    "database-waiting",
                    "Waiting for a connection",
                    "Who waits for a connection of the pool. More than a moment: slow statements, or too small a pool.",
                    "timeseries",
                    "short",
                    (Prom(f"weedwatch_database_waiting{{{_WHERE}}}", "{{instance}}"),),
                    width=8,
                    steps=((None, "green"), (1, "orange")),
                ),
                Panel(
                    "commit-records",
                    "Records in a commit",
                    "Records that shared one commit, on average: one when it is calm, more under load.",
                    "timeseries",
                    "short",
                    (
                        Prom(
                            f"sum(rate(weedwatch_commit_records_sum{{{_WHERE}}}[$__rate_interval]))"
                            f" / (sum(rate(weedwatch_commit_records_count{{{_WHERE}}}[$__rate_interval])) > 0)",
                            "records",
                        ),
                    ),
                    width=8,
                ),
                Panel(
                    "audit-intact",
                    "Audit",
                    "Whether the audit's chain of digests holds: no row was changed, removed or moved.",
                    "state",
                    "none",
                    (Prom("min(weedwatch_audit_intact)", "intact"),),
                    width=6,
                    height=6,
                ),
                Panel(
                    "uploads-waiting",
                    "Uploads that wait",
                    "How long the oldest upload has waited for the quarantine's verdict.",
                    "timeseries",
                    "s",
                    (Prom("max(weedwatch_uploads_waiting_seconds)", "oldest"),),
                    width=6,
                    height=6,
                    steps=((None, "green"), (limits.UPLOAD_WAITS_SECONDS, "orange")),
                ),
                Panel(
                    "leading-replica",
                    "Who leads",
                    "The replica that changes models and tidies up. Exactly one; none for a few seconds when it dies.",
                    "state",
                    "none",
                    (Prom(f"weedwatch_leader{{{_WHERE}}}", "{{instance}}"),),
                    width=6,
                    height=6,
                ),
                Panel(
                    "replicas",
                    "Replicas",
                    "Control planes that live, as each one sees it.",
                    "timeseries",
                    "short",
                    (Prom(f"weedwatch_replicas{{{_WHERE}}}", "{{instance}}"),),
                    width=6,
                    height=6,
                ),
            ),
        ),
        Row(
            "infrastructure",
            "Inside PostgreSQL",
            (
                Panel(
                    "database-size",
                    "Size of the database",
                    "All tables and indexes.",
                    "stat",
                    "bytes",
                    (Sql("SELECT pg_database_size(current_database()) AS bytes"),),
                    width=4,
                ),
                Panel(
                    "database-tables",
                    "Largest tables",
                    "Bytes with indexes, and about how many rows.",
                    "table",
                    "none",
                    (
                        Sql(
                            'SELECT relname AS "table", pg_total_relation_size(relid) AS bytes, n_live_tup AS rows\n'
                            "FROM pg_stat_user_tables ORDER BY 2 DESC LIMIT 10"
                        ),
                    ),
                ),
                Panel(
                    "database-statements",
                    "Statements under way",
                    "What the service's connections do now, longest first; values are left out of the text.",
                    "table",
                    "none",
                    (
                        Sql(
                            "SELECT state, seconds, waits_for, statement FROM statements_for_dashboards()\n"
                            "ORDER BY seconds DESC LIMIT 20"
                        ),
                    ),
                    width=12,
                ),
                Panel(
                    "database-connections",
                    "Sessions",
                    "Sessions of this database now, of the service and of everybody else.",
                    "stat",
                    "short",
                    (Sql("SELECT numbackends AS sessions FROM pg_stat_database WHERE datname = current_database()"),),
                    width=4,
                ),
                Panel(
                    "database-cache",
                    "Read from memory",
                    "Part of the pages that PostgreSQL had in memory. Below 95 % for long: it has too little.",
                    "stat",
                    "percentunit",
                    (
                        Sql(
                            "SELECT blks_hit::float8 / greatest(1, blks_hit + blks_read) AS share\n"
                            "FROM pg_stat_database WHERE datname = current_database()"
                        ),
                    ),
                    width=4,
                    decimals=2,
                    steps=((None, "orange"), (0.95, "green")),
                ),
                Panel(
                    "database-trouble",
                    "Trouble since the statistics began",
                    "Deadlocks, transactions that were rolled back, and what had to be sorted on disk.",
                    "table",
                    "none",
                    (
                        Sql(
                            'SELECT deadlocks, xact_rollback AS "rolled back", temp_bytes AS bytes,\n'
                            "  stats_reset AS since\n"
                            "FROM pg_stat_database WHERE datname = current_database()"
                        ),
                    ),
                    width=8,
                ),
                Panel(
                    "records-a-day",
                    "Records a day",
                    "New records by day; and so rows of new data.",
                    "bars",
                    "short",
                    (
                        Sql(
                            "SELECT date_trunc('day', created_at) AS time, 'records' AS metric, count(*) AS value\n"
                            "FROM sightings_for_dashboards\n"
                            "WHERE request_id BETWEEN request_id_at($__timeFrom()) AND request_id_at($__timeTo())\n"
                            "GROUP BY 1 ORDER BY 1",
                            series=True,
                        ),
                    ),
                    width=8,
                    since="30d",
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "SpoolGrowing",
            "weedwatch_spool_bytes > 0 and deriv(weedwatch_spool_bytes[2m]) > 0",
            "warning",
            "Records pile up on the disk of {{ $labels.instance }}.",
            "PostgreSQL does not take them, or too slowly. Predictions go on and nothing is lost, until "
            "the spool is full.",
            (
                "Does PostgreSQL answer? The panel says so, and `/health/detailed` says why not.",
                "It answers: look for slow statements and a full disk on the infrastructure dashboard.",
                "Once it is well the records come home by themselves; the line falls to zero.",
            ),
            "spool-fill",
            fires=Case(_spool(f"0+{_MIB}x30"), labels=_ONE, value="20Mi"),
            quiet=Case(_spool(f"{30 * _MIB}-{_MIB}x30")),
            value="{{ $value | humanize1024 }}",
        ),
        Alert(
            "SpoolNearlyFull",
            f"weedwatch_spool_bytes / weedwatch_spool_limit_bytes > {limits.SPOOL_RATIO}",
            "critical",
            "The spool of {{ $labels.instance }} is nearly full.",
            "When it is full, predictions are refused: an answer that cannot be recorded is not given.",
            (
                "Bring PostgreSQL back: nothing else empties the spool.",
                "To win time: raise WEEDWATCH_SPOOL_MAX_BYTES, if the disk has room, and restart the replica.",
                "Never delete the spool: it holds acknowledged records.",
            ),
            "spool-fill",
            fires=Case(_spool(f"{60 * _MIB}x30"), labels=_ONE, value="93.75%"),
            quiet=Case(_spool(f"{40 * _MIB}x30")),
            covers=("SpoolGrowing",),
            value="{{ $value | humanizePercentage }}",
        ),
        Alert(
            "RecordsPutAside",
            # A process that finds damaged records when it starts tells them with its first word: that is no increase.
            "(increase(weedwatch_quarantined_records_total[15m]) > 0)"
            " or ((weedwatch_quarantined_records_total unless weedwatch_quarantined_records_total offset 15m) > 0)",
            "warning",
            "{{ $labels.instance }} put records aside that it cannot store.",
            "Lines of the spool were damaged, or PostgreSQL refused them for good. They are kept in a file of their "
            "own, and are missing in the history.",
            (
                "Read the log for “put aside”: it names the file and the reason.",
                "Damaged lines: check the disk (`dmesg`, SMART). The file still has what is readable.",
                "Refused lines: the message names the rule of the database; report it with one line of the file.",
            ),
            "spool-records",
            fires=Case({'weedwatch_quarantined_records_total{instance="one"}': "0x15 3x15"}, labels=_ONE, value="3"),
            quiet=Case({'weedwatch_quarantined_records_total{instance="one"}': "3x30"}),
            for_seconds=0,
        ),
        Alert(
            "DatabasePoolExhausted",
            "min_over_time(weedwatch_database_waiting[1m]) > 0",
            "warning",
            "{{ $labels.instance }} waits for connections to PostgreSQL.",
            "All connections of its pool are taken for a minute and longer. History and changes of models are slow; "
            "records of predictions have a connection of their own.",
            (
                "Look at the statements under way on the infrastructure dashboard: one that runs for long holds its "
                "connection.",
                "Many short ones: raise WEEDWATCH_DATABASE_POOL_SIZE, and PostgreSQL's max_connections with it.",
                "PostgreSQL itself is slow: disk, memory, or a lock.",
            ),
            "database-waiting",
            fires=Case({'weedwatch_database_waiting{instance="one"}': "3x30"}, labels=_ONE, value="3"),
            quiet=Case({'weedwatch_database_waiting{instance="one"}': "3 0 4 0 0 2 0 0 3 0 0 0 5 0 0 3 0 0 0 2 0"}),
        ),
        Alert(
            "AuditBroken",
            "min(weedwatch_audit_intact) == 0",
            "critical",
            "The audit was changed from outside.",
            "A row was changed, removed or moved, or the end was cut off. What admins did can no longer be told "
            "from it alone.",
            (
                "`weedwatch audit verify` names the first row that does not hold.",
                "Do not repair it. Copy the table and the anchor file of each replica away first.",
                "Compare with the newest backup and with the log, where the newest rows stand too.",
                "Who can write to the database? Change its password, and look at who used it.",
            ),
            "audit-intact",
            fires=Case({'weedwatch_audit_intact{instance="one"}': "0x30"}, value="0"),
            quiet=Case({'weedwatch_audit_intact{instance="one"}': "1x30"}),
            for_seconds=0,
        ),
        Alert(
            "QuarantineStuck",
            # The oldest one gets older by a second each second: it has been the same one all the time.
            "max(weedwatch_uploads_waiting_seconds and deriv(weedwatch_uploads_waiting_seconds[5m]) > 0.9)",
            "warning",
            "An uploaded version waits for the quarantine.",
            "Nobody checks it, so it is neither ready nor refused. What answers is not touched.",
            (
                "Does the quarantine run? Its process ends when its sandbox cannot be made; "
                "`logs/quarantine.log` says why.",
                "It runs: a large archive may take minutes. The log names the step it is at.",
                "Cancel the upload and send it again, once the quarantine runs.",
            ),
            "uploads-waiting",
            fires=Case({'weedwatch_uploads_waiting_seconds{instance="one"}': "0+60x30"}, value="20m 0s"),
            quiet=Case({'weedwatch_uploads_waiting_seconds{instance="one"}': "0 60 120 0 60 120 180 0x20"}),
            value="{{ $value | humanizeDuration }}",
        ),
    ),
)

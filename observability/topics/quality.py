"""What is answered, and how sure: by the metrics as it happens, and by the records."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Sql, Topic
from observability.sql import sightings

_CHOSEN = '{model=~"$model", version=~"$version"}'
_BY_LABEL = f"sum by (label) (rate(weedwatch_predicted_labels_total{_CHOSEN}[$__rate_interval]))"
_BUCKETS = f"weedwatch_prediction_confidence_bucket{_CHOSEN}"
_UNSURE = (
    f'sum by (model, version) (rate(weedwatch_prediction_confidence_bucket{{le="{limits.CONFIDENCE_MEDIAN}", '
    'model=~"$model", version=~"$version"}[$__rate_interval]))'
    f" / (sum by (model, version) (rate(weedwatch_prediction_confidence_count{_CHOSEN}[$__rate_interval])) > 0)"
)
_VERSION = "{{model}} {{version}}"
_PLANT = "coalesce(common_name, label)"
_SERVED = 'model="plants", version="1"'


def _confidences(low: int, high: int) -> dict[str, str]:
    """So many answers a minute with a confidence of 0.35, and of 0.95."""
    series = {}
    for tenth in range(1, 11):
        below = (low if tenth >= 4 else 0) + (high if tenth >= 10 else 0)
        series[f'weedwatch_prediction_confidence_bucket{{{_SERVED}, le="{tenth / 10}"}}'] = f"0+{below}x60"
    every = f"0+{low + high}x60"
    return {
        **series,
        f'weedwatch_prediction_confidence_bucket{{{_SERVED}, le="+Inf"}}': every,
        f"weedwatch_prediction_confidence_count{{{_SERVED}}}": every,
    }


def _labels(first: int, second: int) -> dict[str, str]:
    name = "weedwatch_predicted_labels_total"
    return {
        f'{name}{{{_SERVED}, label="Reynoutria japonica"}}': f"0+{first}x90",
        f'{name}{{{_SERVED}, label="Lantana camara"}}': f"0+{second}x90",
    }


TOPIC = Topic(
    "quality",
    rows=(
        Row(
            "quality",
            "What is answered",
            (
                Panel(
                    "answers-by-label",
                    "Answers by plant",
                    "The best label of each answer. A plant that comes or goes all at once: a season, a campaign, or a "
                    "version that has unlearnt it.",
                    "timeseries",
                    "reqps",
                    (Prom(_BY_LABEL, "{{label}}"),),
                    width=12,
                    stacked=True,
                ),
                Panel(
                    "answers-share",
                    "Share of each plant",
                    "Parts of all answers in the shown time.",
                    "piechart",
                    "short",
                    (
                        Prom(
                            f"sum by (label) (increase(weedwatch_predicted_labels_total{_CHOSEN}[$__range])) > 0",
                            "{{label}}",
                            instant=True,
                        ),
                    ),
                    width=6,
                ),
                Panel(
                    "answers-majority",
                    "Share of the most frequent plant",
                    "Above the line nearly all answers are the same: a model that has given up says that too.",
                    "gauge",
                    "percentunit",
                    (
                        Prom(
                            "max by (model, version) (sum by (model, version, label)"
                            f" (increase(weedwatch_predicted_labels_total{_CHOSEN}[1h])))"
                            " / (sum by (model, version)"
                            f" (increase(weedwatch_predicted_labels_total{_CHOSEN}[1h])) > 0)",
                            _VERSION,
                        ),
                    ),
                    width=6,
                    most=1,
                    steps=((None, "green"), (limits.MAJORITY_RATIO, "orange")),
                ),
                Panel(
                    "answers-verdicts",
                    "Verdicts",
                    "species: one plant. one_of: a few that look alike. cant_tell: too unsure. not_a_target: none of "
                    "the plants that are looked for. Codes are errors.",
                    "timeseries",
                    "reqps",
                    (
                        Prom(
                            "sum by (outcome) (rate(weedwatch_predictions_total"
                            '{model=~"$model", version=~"$version", role!="probe"}[$__rate_interval]))',
                            "{{outcome}}",
                        ),
                    ),
                    width=12,
                    stacked=True,
                ),
            ),
        ),
        Row(
            "quality",
            "How sure",
            (
                Panel(
                    "confidence-median",
                    "Median confidence",
                    "Half of the answers are surer. Below the line the pictures are not what the version learnt from.",
                    "timeseries",
                    "percentunit",
                    (
                        Prom(
                            "histogram_quantile(0.5, sum by (le, model, version)"
                            f" (rate({_BUCKETS}[$__rate_interval])))",
                            _VERSION,
                        ),
                    ),
                    most=1,
                    steps=((None, "red"), (limits.CONFIDENCE_MEDIAN, "green")),
                ),
                Panel(
                    "confidence-heatmap",
                    "Confidence",
                    "How many answers had which confidence. A good model is mostly at the top, with a thin tail.",
                    "heatmap",
                    "percentunit",
                    (Prom(f"sum by (le) (increase({_BUCKETS}[$__rate_interval]))"),),
                ),
                Panel(
                    "confidence-low",
                    "Unsure answers",
                    f"Part of the answers with a confidence below {limits.CONFIDENCE_MEDIAN:.0%}.",
                    "timeseries",
                    "percentunit",
                    (Prom(_UNSURE, _VERSION),),
                    most=1,
                ),
            ),
        ),
        Row(
            "quality",
            "Versions",
            (
                Panel(
                    "version-accuracy",
                    "Accuracy by the version's card",
                    "Share of right answers on held-out pictures, measured when it was trained.",
                    "stat",
                    "percentunit",
                    (Prom(f"max by (model, version) (weedwatch_model_accuracy_ratio{_CHOSEN})", _VERSION),),
                    width=6,
                    decimals=1,
                ),
                Panel(
                    "version-f1",
                    "Macro F1 by the version's card",
                    "Mean of precision and recall over all plants, rare ones count as much as frequent ones.",
                    "stat",
                    "percentunit",
                    (Prom(f"max by (model, version) (weedwatch_model_f1_ratio{_CHOSEN})", _VERSION),),
                    width=6,
                    decimals=1,
                ),
                Panel(
                    "versions-compared",
                    "Versions side by side",
                    "What each version answered in the shown time, beside what its card promises.",
                    "table",
                    "none",
                    (
                        Sql(
                            "SELECT v.model, v.version, v.state, v.accuracy, count(s.request_id) AS predictions,\n"
                            '  percentile_cont(0.5) WITHIN GROUP (ORDER BY s.confidence) AS "median confidence",\n'
                            "  avg((s.verdict = 'cant_tell')::int) AS \"share\",\n"
                            '  percentile_cont(0.5) WITHIN GROUP (ORDER BY s.seconds) AS "median seconds"\n'
                            "FROM versions_for_dashboards v LEFT JOIN sightings_for_dashboards s\n"
                            "  ON s.model = v.model AND s.version = v.version AND s.request_id\n"
                            "  BETWEEN request_id_at($__timeFrom()) AND request_id_at($__timeTo())\n"
                            "GROUP BY v.model, v.version, v.state, v.accuracy, v.created_at\n"
                            "ORDER BY v.created_at DESC LIMIT 20"
                        ),
                    ),
                    width=12,
                ),
                Panel(
                    "version-evidence",
                    "Evidence",
                    "Newest evaluations on the golden set and on kept sightings, each beside the version that "
                    "answered then.",
                    "table",
                    "none",
                    (
                        Sql(
                            "SELECT created_at AS time, model, version, against, accuracy, against_accuracy,\n"
                            "  agreement, pictures, sightings FROM evaluations_for_dashboards\n"
                            "WHERE model ~ '^(${model:regex})$' ORDER BY created_at DESC LIMIT 20"
                        ),
                    ),
                    width=24,
                ),
            ),
        ),
        Row(
            "quality",
            "Records",
            (
                Panel(
                    "species-by-day",
                    "Species by day",
                    "Records by plant and day.",
                    "bars",
                    "short",
                    (
                        Sql(
                            sightings(
                                f"date_trunc('day', created_at) AS time, {_PLANT} AS metric, count(*) AS value",
                                "GROUP BY 1, 2 ORDER BY 1, 2",
                            ),
                            series=True,
                        ),
                    ),
                    width=12,
                    since="30d",
                    stacked=True,
                ),
                Panel(
                    "records-volume",
                    "Records",
                    "Predictions that were recorded, by version.",
                    "bars",
                    "short",
                    (
                        Sql(
                            sightings(
                                "date_bin('$__interval', created_at, 'epoch') AS time, version AS metric,"
                                " count(*) AS value",
                                "GROUP BY 1, 2 ORDER BY 1, 2",
                            ),
                            series=True,
                        ),
                    ),
                    width=12,
                    stacked=True,
                ),
                Panel(
                    "records-unsure",
                    "Newest unsure answers",
                    f"Records with a confidence below {limits.CONFIDENCE_MEDIAN:.0%}: the first to look at by eye.",
                    "table",
                    "none",
                    (
                        Sql(
                            sightings(
                                f"created_at AS time, request_id, model, version, verdict, {_PLANT} AS plant,"
                                " confidence",
                                f"AND confidence < {limits.CONFIDENCE_MEDIAN} ORDER BY request_id DESC LIMIT 50",
                            )
                        ),
                    ),
                    width=12,
                    height=10,
                ),
                Panel(
                    "records-map",
                    "Sightings",
                    "Where plants were found, on a grid of a tenth of a degree (about 11 km): exact places are "
                    "personal, and Grafana cannot read them.",
                    "map",
                    "short",
                    (
                        Sql(
                            sightings(
                                f"latitude, longitude, {_PLANT} AS plant, count(*) AS predictions",
                                "AND latitude IS NOT NULL AND verdict = 'species'\n"
                                "GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 1000",
                            )
                        ),
                    ),
                    width=12,
                    height=10,
                ),
                Panel(
                    "records-by-label",
                    "Plants of the shown time",
                    "Records of each plant, how sure the answers were, and the share that could not tell.",
                    "table",
                    "none",
                    (
                        Sql(
                            sightings(
                                f"{_PLANT} AS plant, count(*) AS predictions,\n"
                                '  percentile_cont(0.5) WITHIN GROUP (ORDER BY confidence) AS "median confidence",\n'
                                "  avg((verdict = 'cant_tell')::int) AS share",
                                "GROUP BY 1 ORDER BY 2 DESC LIMIT 50",
                            )
                        ),
                    ),
                    width=24,
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "ConfidenceLow",
            "(histogram_quantile(0.5, sum by (le, model, version)"
            f" (rate(weedwatch_prediction_confidence_bucket[{limits.CONFIDENCE_WINDOW}])))"
            f" < {limits.CONFIDENCE_MEDIAN})"
            " and sum by (model, version)"
            f" (increase(weedwatch_prediction_confidence_count[{limits.CONFIDENCE_WINDOW}]))"
            f" >= {limits.LEAST_PREDICTIONS}",
            "info",
            "Version {{ $labels.version }} of {{ $labels.model }} is unsure of most pictures.",
            "The pictures are not what it learnt from: another camera, another season, other plants; or the version is "
            "not good.",
            (
                "Look at the newest unsure answers on the quality dashboard, and at their photos.",
                "It began with a change of version: compare both, and roll back.",
                "It began with other pictures: collect and label some, and train with them.",
            ),
            "confidence-median",
            fires=Case(_confidences(8, 2), at="45m", labels={"model": "plants", "version": "1"}, value="36.25%"),
            quiet=Case(_confidences(2, 8), at="45m"),
            for_seconds=300,
            value="{{ $value | humanizePercentage }}",
        ),
        Alert(
            "MajorityClass",
            "(max by (model, version)"
            " (sum by (model, version, label) (increase(weedwatch_predicted_labels_total[1h])))"
            " / sum by (model, version) (increase(weedwatch_predicted_labels_total[1h]))"
            f" > {limits.MAJORITY_RATIO})"
            " and sum by (model, version) (increase(weedwatch_predicted_labels_total[1h]))"
            f" >= {limits.LEAST_PREDICTIONS}",
            "info",
            "Version {{ $labels.version }} of {{ $labels.model }} answers nearly everything with one plant.",
            "Either nearly all pictures show it, or the version has collapsed to one answer.",
            (
                "Look at the pictures of that plant in Sightings: are they of it?",
                "They are: nothing is wrong. A campaign against one plant looks like that.",
                "They are not: roll back, and look at the version's evidence.",
            ),
            "answers-majority",
            fires=Case(_labels(9, 1), at="75m", labels={"model": "plants", "version": "1"}, value="90%"),
            quiet=Case(_labels(6, 4), at="75m"),
            for_seconds=300,
            value="{{ $value | humanizePercentage }}",
        ),
    ),
)

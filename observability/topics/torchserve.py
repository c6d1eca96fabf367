"""TorchServe by its own figures. Its latencies are sums that only grow, so there are means and no percentiles."""

from observability.parts import Alert, Case, Panel, Prom, Row, Topic

_BY = "sum by (model_name, model_version)"
_LEGEND = "{{model_name}} {{model_version}}"


def _mean(latency: str) -> str:
    return (
        f"{_BY} (rate({latency}[$__rate_interval])) / 1e6"
        f" / ({_BY} (rate(ts_inference_requests_total[$__rate_interval])) > 0)"
    )


def _stage(stage: str) -> str:
    name = f'weedwatch_handler_stage_seconds_total{{stage="{stage}"}}'
    pictures = "sum(rate(weedwatch_handler_predictions_total[$__rate_interval]))"
    return f"sum(rate({name}[$__rate_interval])) / ({pictures} > 0)"


TOPIC = Topic(
    "torchserve",
    rows=(
        Row(
            "infrastructure",
            "TorchServe",
            (
                Panel(
                    "torchserve-up",
                    "TorchServe answers",
                    "Each TorchServe as the control planes see it, numbered as in the settings.",
                    "state",
                    "none",
                    (Prom("min by (torchserve) (weedwatch_torchserve_up)", "{{torchserve}}"),),
                    width=8,
                ),
                Panel(
                    "torchserve-requests",
                    "Calls",
                    "Calls that reached TorchServe, by version. A call holds several pictures under load.",
                    "timeseries",
                    "reqps",
                    (Prom(f"{_BY} (rate(ts_inference_requests_total[$__rate_interval]))", _LEGEND),),
                    width=8,
                ),
                Panel(
                    "torchserve-answers",
                    "Answers by status",
                    "All of TorchServe's HTTP answers, those to health checks and to management included: "
                    "no measure of predictions.",
                    "timeseries",
                    "reqps",
                    tuple(
                        # A status that has not been answered yet is not told.
                        Prom(f"sum(rate(Requests{kind}XX[$__rate_interval])) or vector(0)", f"{kind}xx")
                        for kind in ("2", "4", "5")
                    ),
                    width=8,
                    stacked=True,
                ),
                Panel(
                    "torchserve-inference",
                    "Mean time of a call",
                    "From TorchServe's frontend to its worker and back, on average.",
                    "timeseries",
                    "s",
                    (Prom(_mean("ts_inference_latency_microseconds"), _LEGEND),),
                    width=6,
                ),
                Panel(
                    "torchserve-queue",
                    "Mean wait in TorchServe",
                    "Time in TorchServe's own queue. It is short, since the control plane sends no more than workers "
                    "can take; where it is not, a worker hangs.",
                    "timeseries",
                    "s",
                    (Prom(_mean("ts_queue_latency_microseconds"), _LEGEND),),
                    width=6,
                ),
                Panel(
                    "torchserve-stages",
                    "Stages in the handler",
                    "Mean time of a picture by stage inside the worker.",
                    "timeseries",
                    "s",
                    tuple(Prom(_stage(stage), stage) for stage in ("preprocess", "inference", "postprocess")),
                    width=6,
                    stacked=True,
                ),
                Panel(
                    "torchserve-load",
                    "Loading of workers",
                    "How long the newest load of each worker took. Longer than before: a larger model, or a busy disk.",
                    "timeseries",
                    "ms",
                    (Prom("WorkerLoadTime", "{{WorkerName}}"),),
                    width=6,
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "TorchServeDown",
            "max by (torchserve) (weedwatch_torchserve_up) == 0",
            "critical",
            "TorchServe {{ $labels.torchserve }} answers no control plane.",
            "Its workers are lost to the service. With no other TorchServe, nothing is predicted; what starts it "
            "should have started it again within twenty seconds.",
            (
                "Is its process there? `.venv/bin/python -m standalone status` says; in a container its own tool does.",
                "Read the end of `logs/torchserve.log`: a Java error, no memory, a port or socket that is taken.",
                "It runs and does not answer: `kill -9 PID` with the process id of step 1; it is started again.",
                "It ends again and again: take back the newest change, `weedwatch models rollback plants`.",
            ),
            "torchserve-up",
            fires=Case(
                {'weedwatch_torchserve_up{torchserve="1", instance="one"}': "0x30"},
                labels={"torchserve": "1"},
                value="0",
            ),
            quiet=Case(
                {
                    'weedwatch_torchserve_up{torchserve="1", instance="one"}': "1x30",
                    'weedwatch_torchserve_up{torchserve="1", instance="two"}': "0x30",
                }
            ),
            for_seconds=30,
            # The cause, not what follows from it.
            covers=(
                "ModelNotLoaded",
                'NotReady{reason=~"no_model|no_worker|unproven|silent"}',
                *("WorkersMissing", "CanaryDead"),
            ),
        ),
    ),
)

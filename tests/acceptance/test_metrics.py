"""What the metrics say of a real service: every figure has a value, and no client makes series without bounds."""

import re
from collections import Counter

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from observability.declared import metrics as declared
from tests.acceptance.conftest import Service

OPEN_METRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
# What this service has no reason to tell: it has no canary, no shadow, and nobody gave it certificates to watch.
NOT_HERE = {
    "weedwatch_shadow_copies",
    "weedwatch_guard_rollbacks",
    "weedwatch_certificate_expiry_timestamp_seconds",
}


def told(service: Service) -> dict[str, Metric]:
    answer = service.http.get("/metrics", headers=OPEN_METRICS)
    assert answer.status_code == 200
    return {family.name: family for family in open_metrics(answer.text)}  # type: ignore[no-untyped-call]


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    family = families[re.sub("_(total|sum|count)$", "", name)]
    (found,) = [each.value for each in family.samples if each.name == name and each.labels == labels]
    return float(found)


def predict(service: Service, photo: bytes, **headers: str) -> str:
    answer = service.http.post("/predict", files={"image": ("a.jpg", photo)}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"])


def test_every_metric_has_a_value(service: Service, photo: bytes) -> None:
    predict(service, photo, **{"Idempotency-Key": "for-the-metrics"})
    predict(service, photo)
    families = told(service)
    ours = {each.name for each in declared() if each.source == "control plane"}
    without = {name for name in ours if name not in families or not families[name].samples}
    assert without == NOT_HERE
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_gc_collections"} <= families.keys()


def test_the_figures_of_what_lives_are_those_of_now(service: Service, photo: bytes) -> None:
    predict(service, photo)
    families = told(service)
    plants = {"model": "plants", "version": "1"}
    detailed = service.http.get("/health/detailed").json()
    (version,) = detailed["versions"]
    for state in ("wanted", "ready"):
        known = value(families, "weedwatch_version_workers", **plants, part="stable", state=state)
        assert known == version[f"{state}_workers"]
    assert value(families, "weedwatch_version_proven", **plants, part="stable") == 1
    assert value(families, "weedwatch_version_sick", **plants) == 0
    assert value(families, "weedwatch_rollout_share", **plants, part="stable") == 1
    assert value(families, "weedwatch_rollout_revision", model="plants") >= 1
    assert 0.5 < value(families, "weedwatch_model_accuracy_ratio", **plants) <= 1
    assert 0.5 < value(families, "weedwatch_model_f1_ratio", **plants) <= 1
    assert value(families, "weedwatch_torchserve_up", torchserve="1") == 1
    reasons = {each.labels["reason"]: each.value for each in families["weedwatch_not_ready"].samples}
    named = ("records", "no_model", "no_worker", "wrong_answers", "unproven", "silent", "stopping")
    assert reasons == dict.fromkeys(named, 0)
    assert value(families, "weedwatch_leader") == value(families, "weedwatch_replicas") == 1
    assert value(families, "weedwatch_audit_intact") == 1
    assert value(families, "weedwatch_database_connections", state="limit") == 8
    assert value(families, "weedwatch_queue_limit") == 64
    assert value(families, "weedwatch_machine_memory_total_bytes") == detailed["machine"]["memory_total_bytes"]
    assert 0 <= value(families, "weedwatch_machine_cpu_ratio") <= 1
    assert (
        0 < value(families, "weedwatch_machine_disk_free_bytes") < value(families, "weedwatch_machine_disk_total_bytes")
    )
    sizes = {"method": "POST", "route": "/predict"}
    assert value(families, "weedwatch_http_request_bytes_sum", **sizes) > len(photo)
    assert value(families, "weedwatch_http_response_bytes_count", **sizes) >= 1


def test_a_figure_leads_to_the_request_that_made_it(service: Service, photo: bytes) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    minted = predict(service, photo, traceparent=f"00-{trace}-b7ad6b7169203331-01")
    for name in ("weedwatch_prediction_seconds", "weedwatch_http_request_seconds"):
        exemplars = [each.exemplar.labels for each in told(service)[name].samples if each.exemplar]
        assert {"trace_id": trace, "request_id": minted} in exemplars
    plain = service.http.get("/metrics", headers={"Accept": "text/plain"}).text
    assert minted not in plain


def test_a_hostile_client_makes_no_series_without_bounds(service: Service, photo: bytes) -> None:
    def series() -> Counter[str]:
        return Counter({name: len(family.samples) for name, family in told(service).items()})

    def attack(start: int, *methods: str) -> None:
        for method in methods:
            service.http.request(method, "/predict")
        for number in range(start, start + 40):
            service.http.request(f"ODD{number}", "/predict")
            service.http.get(f"/nowhere/{number}")
            service.http.get(f"/models/m{number}")
            service.http.get(f"/history/{number}")
            service.http.post(f"/predict?model=m{number}", files={"image": ("a.jpg", photo)})
            service.http.post(f"/predict?version=v{number}", files={"image": ("a.jpg", photo)})
            service.http.post(f"/v2/models/m{number}/versions/v{number}/infer", content=b"{}")
            service.http.get(f"/metrics/torchserve?number={number + 2}")

    attack(0, "PROPFIND", "TRACE")
    series()  # each kind of answer has its series now, this one too
    before = series()
    attack(1000, "MKCOL", "LOCK", "SEARCH", "M-SEARCH", "LINK")
    assert series() - before == Counter()


def test_the_metrics_of_torchserve_are_passed_on_as_they_are(service: Service, photo: bytes) -> None:
    predict(service, photo)
    answer = service.http.get("/metrics/torchserve")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/plain")
    families = {each.name: each for each in text_format(answer.text)}
    assert families["weedwatch_handler_stage_seconds"].type == "counter"
    of_model = [each.labels for each in families["ts_inference_requests"].samples]
    assert any(labels["model_name"] == "plants" for labels in of_model)
    assert service.http.get("/metrics/torchserve?number=1").status_code == 200
    for number, status in (("2", 404), ("0", 404), ("x", 422), ("1%00", 422)):
        assert service.http.get(f"/metrics/torchserve?number={number}").status_code == status
    assert not re.search("weedwatch_http", answer.text)

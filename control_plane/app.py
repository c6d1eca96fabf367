"""create_app: the lifespan opens every part in order and closes it in reverse; routers and error handlers."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import zip_longest

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from control_plane.access import credentials, oidc
from control_plane.access.counters import Counters
from control_plane.access.credentials import KeySecrets
from control_plane.access.keyring import Keyring
from control_plane.access.lockout import Lockout
from control_plane.access.oidc import Issuer
from control_plane.access.policy import without_policy
from control_plane.access.throttle import Throttle
from control_plane.contract.problems import Problem
from control_plane.dispatch import Dispatcher
from control_plane.domain.subjects import Subjects
from control_plane.draining import Ending
from control_plane.errors import DatabaseUnavailable
from control_plane.exchange import Exchange
from control_plane.metrics import Metrics
from control_plane.models.changes import Changes
from control_plane.models.evaluation import Evaluator
from control_plane.models.intake import Intake
from control_plane.models.lifecycle import Fleet
from control_plane.models.reconciling import Reconciler
from control_plane.models.wishes import Wishes
from control_plane.photos.pictures import Pictures
from control_plane.photos.stores import Store, open_store
from control_plane.predictions.answers import Answers
from control_plane.predictions.prediction import Predictor
from control_plane.predictions.readiness import Readiness
from control_plane.predictions.replays import Replays
from control_plane.predictions.shadow import Shadows
from control_plane.records.erasure import Erasure
from control_plane.records.recording import Recorder
from control_plane.records.removals import Removals
from control_plane.records.retention import Retention
from control_plane.records.spool import Spool
from control_plane.replicas import Share
from control_plane.routes import (
    access,
    audit,
    erasures,
    health,
    history,
    inference_protocol,
    info,
    keys,
    models,
    predict,
    status,
)
from control_plane.settings import Settings
from control_plane.tables.anchor import Anchor
from control_plane.tables.backups import NewestBackup
from control_plane.tables.database import Database, UnsafeDatabase, within
from control_plane.telemetry.alerts import PrometheusAlerts
from control_plane.telemetry.series import Series
from control_plane.telemetry.tracing import Tracer
from control_plane.torchserve import TorchServe
from control_plane.version import VERSION
from control_plane.web import beside, pages, problems
from control_plane.web.dependencies import Parts
from control_plane.web.door import Door, Keeper
from control_plane.web.figures import Figures
from control_plane.web.hosts import AllowedHosts, allowed
from control_plane.web.refusal import RefusalAtTheDoor
from control_plane.web.requests import RequestContext

log = logging.getLogger(__name__)

# FastAPI has telemetry of its own, which variables of others would switch on; ours is in tracing.py.
_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(settings: Settings) -> FastAPI:
    """The service.

    Raises:
        ValueError: The admin token, the secret of the keys, the OpenID provider or the place for pictures is of no use.
        RuntimeError: A route has no line in the policy.
    """
    metrics = Metrics(on=settings.metrics == "on")
    token = credentials.admin_token(settings.admin_token_file, settings.state_dir)
    key_secrets = KeySecrets.load(settings.key_secret_file, settings.state_dir)
    issuer = oidc.issuer_from(settings) if settings.auth == "oidc" else None
    store = open_store(settings.pictures_url, settings.pictures_dir)
    tracer = _tracer(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if tracer:
                stack.push_async_callback(tracer.close)
            app.state.parts = await _open(stack, settings, metrics, token, key_secrets, issuer, store, app.state.ending)
            if settings.metrics_port is not None:
                figures: Figures = app.state.parts.figures
                beside_us = beside.serving(metrics, figures, settings.metrics_host, settings.metrics_port)
                await stack.enter_async_context(beside_us)
            yield

    app = FastAPI(
        title="Weedwatch",
        version=VERSION,
        summary="Names invasive plants on a photo, and keeps a record.",
        lifespan=lifespan,
        telemetry=_TELEMETRY,
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    app.state.metrics = metrics
    app.state.ending = Ending()
    for routes in (predict, history, models, health, info, status, inference_protocol, keys, access, audit, erasures):
        app.include_router(routes.router)
    problems.add_handlers(app, metrics)
    pages.add(app, docs=settings.docs, connects_to=issuer.provider.origin if issuer else None)
    if missing := without_policy(app.routes):
        raise RuntimeError(f"access.py says nothing of {', '.join(missing)}.")
    app.add_middleware(predict.ShortWay)
    app.add_middleware(RefusalAtTheDoor, metrics=metrics)
    app.add_middleware(Door)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PATCH", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=[
                "X-Request-ID",
                "X-Correlation-ID",
                "Retry-After",
                "Idempotency-Replayed",
                "Idempotency-Status",
                "RateLimit",
                "RateLimit-Policy",
                "X-Cache",
            ],
        )
    app.add_middleware(AllowedHosts, names=allowed(settings.allowed_hosts, settings.host), metrics=metrics)
    app.add_middleware(RequestContext, metrics=metrics, tracer=tracer)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


def _tracer(settings: Settings) -> Tracer | None:
    """None while no traces are sent; then OpenTelemetry is not even loaded."""
    if settings.traces_url is None:
        return None
    from control_plane.telemetry.spans import Spans  # noqa: PLC0415

    return Spans(
        settings.traces_url,
        headers=settings.traces_own_headers,
        share=settings.traces_share,
        replica=settings.replica,
    )


async def _open(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: Metrics,
    token: str,
    key_secrets: KeySecrets,
    issuer: Issuer | None,
    store: Store,
    ending: Ending,
) -> Parts:
    database = Database(
        settings.database_url.get_secret_value(),
        timeout_seconds=settings.database_timeout_seconds,
        pool_size=settings.database_pool_size,
        traced=settings.traces_url is not None,
    )
    try:
        await within(settings.database_timeout_seconds, database.prepare())
    except UnsafeDatabase as error:
        print(error, file=sys.stderr)
        raise
    except DatabaseUnavailable:
        log.warning("starting without the database; the spool keeps the records", extra={"cause": database.reason})
    await database.open()
    stack.push_async_callback(database.close)
    counters = Counters(settings.limits_url.get_secret_value()) if settings.limits_url else None
    if counters:
        stack.push_async_callback(counters.close)
    keyring = Keyring(database, key_secrets, settings.state_dir / "keys.json")
    await keyring.open()
    exchange = Exchange(settings.exchange_dir)
    exchange.open()
    torchserves = [
        TorchServe(
            inference_url=inference,
            management_url=management,
            metrics_url=metrics_url,
            max_answer_seconds=settings.worker_timeout_seconds,
            exchange=exchange,
        )
        for (inference, management), metrics_url in zip_longest(
            zip(settings.torchserve_inference, settings.torchserve_management, strict=True),
            settings.torchserve_metrics[: len(settings.torchserve_inference)],
        )
    ]
    for each in torchserves:
        await each.open()
        stack.push_async_callback(each.close)
    share = Share(database, settings.replica)
    fleet = Fleet(
        torchserves=torchserves,
        store=settings.model_store,
        cache=settings.state_dir / "rollouts.json",
        model=settings.model,
        workers=settings.wanted_workers,
        lane=partial(
            Dispatcher,
            queue_size=settings.queue_size,
            queue_cost=settings.queue_pixels,
            metrics=metrics,
            torchserves=len(torchserves),
            batch_pictures=settings.batch_pictures,
        ),
        metrics=metrics,
    )
    reconciler = Reconciler(
        fleet=fleet, torchserves=torchserves, share=share, metrics=metrics, handler_log=settings.handler_log
    )
    share.report = fleet.facts
    pictures = Pictures(store)
    removals = Removals(database, pictures)
    wishes = Wishes(database, fleet, settings.model_store)
    changes = Changes(
        database=database,
        fleet=fleet,
        share=share,
        wishes=wishes,
        evaluator=Evaluator(database, pictures, settings.model_store, settings.state_dir / "golden"),
        store=settings.model_store,
        metrics=metrics,
        handler_log=settings.handler_log,
    )
    await changes.open()
    intake = Intake(database, settings, metrics)
    spool = Spool(settings.spool_dir, settings.replica, max_bytes=settings.spool_max_bytes, metrics=metrics)
    spool.open()
    stack.callback(spool.close)
    subjects = Subjects(list(key_secrets.by_name.values()))
    recorder = Recorder(database, spool, metrics, subjects)
    erasure = Erasure(database, recorder, spool, removals, subjects)
    retention = Retention(
        database,
        share,
        removals,
        pictures_days=settings.keep_pictures_days,
        history_days=settings.keep_history_days,
    )
    shadows = Shadows(database, fleet, metrics)
    predictor = Predictor(
        fleet=fleet,
        recorder=recorder,
        shadows=shadows,
        pictures=pictures,
        answers=Answers(settings.answer_cache, metrics),
        metrics=metrics,
    )
    readiness = Readiness(
        predictor=predictor,
        fleet=fleet,
        database=database,
        recorder=recorder,
        metrics=metrics,
        probe_seconds=settings.probe_seconds,
        ending=ending,
    )
    series = Series(metrics)
    anchor = Anchor(database, settings.state_dir / "audit", settings.replica)
    figures = Figures(
        settings=settings,
        metrics=metrics,
        counts=predictor.counts,
        database=database,
        fleet=fleet,
        readiness=readiness,
        share=share,
        intake=intake,
        anchor=anchor,
        torchserves=torchserves,
    )
    for work in (
        recorder.run(),
        recorder.replay(),
        keyring.run(),
        share.run(),
        changes.run(),
        intake.run(),
        reconciler.run(),
        shadows.run(),
        readiness.run(),
        *([series.run()] if metrics.on else []),
        *([issuer.provider.run()] if issuer else []),
        anchor.run(),
        NewestBackup(database, metrics).run(),
        removals.run(),
        erasure.run(),
        retention.run(),
    ):
        stack.push_async_callback(_end, asyncio.create_task(work))
    return Parts(
        settings=settings,
        metrics=metrics,
        database=database,
        spool=spool,
        fleet=fleet,
        wishes=wishes,
        intake=intake,
        pictures=pictures,
        removals=removals,
        erasure=erasure,
        predictor=predictor,
        readiness=readiness,
        replays=Replays(database, metrics),
        series=series,
        keyring=keyring,
        keeper=Keeper(settings.auth, keyring, token, issuer, Lockout(settings.allowed_bad_credentials, counters)),
        throttle=Throttle(settings.allowed_callers, settings.allowed_addresses, counters),
        anchor=anchor,
        alerts=PrometheusAlerts(settings.prometheus_url) if settings.prometheus_url else None,
        figures=figures,
    )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

"""What the newest evidence of a version says, by the policy beside its source."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from control_plane.models import policy
from control_plane.models.evidence import Finding
from control_plane.models.policy import Policy, UnreadablePolicy
from control_plane.tables import evaluations, models
from control_plane.tables.database import Connection
from control_plane.tables.evaluations import Evaluation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weighed:
    """One evaluation as things are now: `findings` speak against a promotion."""

    is_current: bool
    policy: Policy
    findings: list[Finding]


async def objections(connection: Connection, store: Path, model: str, version: str, against: str) -> list[Finding]:
    """Why a version may not be promoted; empty when it may."""
    found = await evaluations.newest(connection, model, version)
    if not found:
        sentence = f"It has not been evaluated. Do that first: weedwatch models evaluate {model} {version}"
        return [Finding("evidence", None, None, sentence)]
    return (await weigh(connection, store, found[0], against)).findings


async def weigh(connection: Connection, store: Path, evaluation: Evaluation, against: str) -> Weighed:
    """A policy that cannot be read is a finding: it stops promotions, and nobody who only looks."""
    model, version = evaluation.model, evaluation.version
    found = []
    try:
        rules = await asyncio.to_thread(policy.read, store, model, version, against)
    except UnreadablePolicy as error:
        rules = Policy()
        found.append(Finding("policy", None, None, str(error)))
    current = await _is_current(connection, evaluation, against)
    if current:
        found += policy.findings(rules, evaluation.evidence, evaluation.created_at)
    else:
        sentence = (
            "It was evaluated beside other archives than those of today. "
            f"Evaluate it again: weedwatch models evaluate {model} {version}"
        )
        found.append(Finding("evidence", None, None, sentence))
    return Weighed(current, rules, found)


async def _is_current(connection: Connection, evaluation: Evaluation, stable: str) -> bool:
    """Whether both archives are still those that were compared, and the other one is the stable one."""
    if evaluation.against != stable:
        return False
    for version, sha256 in ((evaluation.version, evaluation.sha256), (stable, evaluation.against_sha256)):
        known = await models.find_version(connection, evaluation.model, version)
        if known is None or known.sha256 != sha256:
            return False
    return True


async def policy_or_default(store: Path, model: str, *versions: str) -> Policy:
    """One that cannot be read does not stop the guard."""
    try:
        return await asyncio.to_thread(policy.read, store, model, *versions)
    except UnreadablePolicy as error:
        log.warning("the policy cannot be used; the defaults hold", extra={"cause": str(error)})
        return Policy()

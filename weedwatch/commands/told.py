"""Changes and evidence in words."""

from collections.abc import Iterator

from weedwatch.types import Evidence, EvidenceSummary, Operation


def told(operation: Operation) -> str:
    """What has become of a change."""
    why = f" Why: {operation.why}" if operation.why else ""
    if operation.version is not None:
        what = f"Version {operation.version} of {operation.model}"
        if operation.state == "done":
            return f"{what} is evaluated against version {operation.stable}.{why}"
        if operation.state == "failed":
            return f"{what} is not evaluated: {operation.message}"
        return f"{what} is being evaluated: {operation.stage}. {operation.message or ''}".rstrip()
    parts = [f"version {operation.stable}"]
    if operation.canary:
        parts.append(f"version {operation.canary} for {operation.canary_percent:g} %")
    if operation.shadow:
        parts.append(f"version {operation.shadow} as shadow of {operation.shadow_percent:g} %")
    wanted = ", ".join(parts)
    if operation.state == "done":
        return f"{operation.model} is answered by {wanted} ({operation.action} by {operation.actor}).{why}"
    if operation.state == "failed":
        return f"{operation.model} has not changed to {wanted}: {operation.message}"
    return f"{operation.model} is changing to {wanted}: {operation.stage}. {operation.message or ''}".rstrip()


def share(version: str | None, percent: float) -> str:
    return f"{version} ({percent:g} %)" if version else "-"


def summary(evidence: EvidenceSummary | None) -> str:
    if evidence is None:
        return "-"
    if not evidence.is_current:
        return "outdated"
    return f"{len(evidence.findings)} against it" if evidence.findings else "may be promoted"


def evidence_lines(evidence: Evidence) -> Iterator[str]:
    both = f"Version {evidence.version}", f"version {evidence.against}"
    yield (
        f"{both[0]} of {evidence.model} beside {both[1]}, on {evidence.pictures} pictures of the golden set "
        f"and {evidence.sightings} kept sightings{'' if evidence.is_current else ' (outdated: an archive has changed)'}"
    )
    if evidence.accuracy:
        yield f"  accuracy   {evidence.accuracy.version:.1%} beside {evidence.accuracy.against:.1%}"
    yield f"  agreement  {evidence.agreement:.1%}"
    p95 = evidence.p95_seconds
    yield f"  p95        {1000 * p95.version:.0f} ms beside {1000 * p95.against:.0f} ms"
    for flip in evidence.flips:
        others = ", ".join(f"{label} ({count})" for label, count in flip.to.items())
        yield f"  {flip.label}: {flip.count} of {flip.of} became {others}"
    for finding in evidence.findings:
        yield f"  against it: {finding.message}"
    if not evidence.findings:
        yield "Nothing speaks against its promotion."

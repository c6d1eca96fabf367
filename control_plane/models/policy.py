"""What a promotion needs: `policy.yaml` beside the version's source, else these defaults."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from control_plane.models.evidence import Finding

FILE = "policy.yaml"
SLOWER_BY_SECONDS = 0.05  # and so much more: a picture takes longer by chance, on a busy machine


class UnreadablePolicy(Exception):
    """The sentence names the file and what is wrong in it."""


class Policy(BaseModel):
    """Rules of a promotion. Shares are 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_pictures: int = Field(20, ge=1, description="Golden pictures and kept sightings together.")
    accuracy_may_drop_by: float = Field(0.01, ge=0, le=1, description="On the golden set, below the stable version's.")
    least_agreement: float = Field(0.9, ge=0, le=1, description="Share of pictures that both give the same name.")
    flips_of_a_label_at_most: float = Field(
        0.2, ge=0, le=1, description="Share of the pictures of one name that get another one; two or more pictures."
    )
    p95_ratio_at_most: float = Field(
        1.5, gt=0, description="Handler's seconds, divided by the stable version's; from 50 ms more on."
    )
    evidence_days: int = Field(30, ge=1, description="Older evidence does not count.")
    canary_disagreement_at_most: float = Field(
        0.3, ge=0, le=1, description="Share of a canary's answers in the last minute that stable names otherwise."
    )


def read(store: Path, model: str, *versions: str) -> Policy:
    """Of the first of these versions that has one.

    Raises:
        UnreadablePolicy: It is there and cannot be used.
    """
    for version in versions:
        file = store / "sources" / model / version / FILE
        if file.is_file():
            try:
                return Policy.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
            except (OSError, yaml.YAMLError, UnicodeError) as error:
                raise UnreadablePolicy(f"The policy {file} cannot be read: {error}") from error
            except ValidationError as error:
                wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
                raise UnreadablePolicy(f"The policy {file} is not right: {wrong}") from error
    return Policy()


def findings(policy: Policy, evidence: dict[str, Any], created_at: datetime) -> list[Finding]:
    """What this evidence lacks; empty when the version may be promoted."""
    found = []

    def add(rule: str, value: float, sentence: str) -> None:
        found.append(Finding(rule, value, getattr(policy, rule), sentence))

    seen = evidence["pictures"] + evidence["sightings"]
    if seen < policy.least_pictures:
        add("least_pictures", seen, f"Only {seen} pictures were compared; {policy.least_pictures} are needed.")
    if accuracy := evidence["accuracy"]:
        drop = round(accuracy["against"] - accuracy["version"], 6)
        if drop > policy.accuracy_may_drop_by:
            names = f"{accuracy['version']:.1%} of the golden set instead of {accuracy['against']:.1%}"
            add("accuracy_may_drop_by", drop, f"It names {names} right.")
    if evidence["agreement"] < policy.least_agreement:
        add(
            "least_agreement",
            evidence["agreement"],
            f"It gives {evidence['agreement']:.0%} of the pictures the same name; "
            f"{policy.least_agreement:.0%} are needed.",
        )
    for flip in evidence["flips"]:
        share = flip["count"] / flip["of"]
        if flip["count"] >= 2 and share > policy.flips_of_a_label_at_most:
            others = ", ".join(f"{name} ({count})" for name, count in flip["to"].items())
            sentence = f"Of {flip['of']} pictures named {flip['label']}, {flip['count']} change name: {others}."
            add("flips_of_a_label_at_most", round(share, 6), sentence)
    p95 = evidence["p95_seconds"]
    more = p95["version"] - p95["against"]
    if more > SLOWER_BY_SECONDS and p95["version"] / max(p95["against"], 1e-6) > policy.p95_ratio_at_most:
        ratio = round(p95["version"] / max(p95["against"], 1e-6), 2)
        add("p95_ratio_at_most", ratio, f"Its slowest twentieth takes {ratio:g} times as long as the stable version's.")
    age = datetime.now(UTC) - created_at
    if age > timedelta(days=policy.evidence_days):
        add("evidence_days", age.days, f"The evidence is {age.days} days old. Evaluate the version again.")
    return found

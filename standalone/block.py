"""The block that `make run` prints when everything answers."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERDICTS = {
    "species": "{name}, {percent} %",
    "one_of": "one of several, first {name}, {percent} %",
    "cant_tell": "cannot tell; nearest is {name}, {percent} %",
    "not_a_target": "none of the watched plants; looks like {name}, {percent} %",
}


@dataclass(frozen=True)
class Facts:
    """What the block says, as it is kept in `run.json`."""

    port: int
    state_dir: str
    logs: str
    seconds: float
    picture: str | None = None
    answer: str = ""
    milliseconds: int = 0
    request_id: str = ""
    reason: str = ""
    """Why it has no model; empty when it serves one."""
    auth: str = "off"
    prometheus: str = ""
    """Its address; empty where it does not run."""
    alertmanager: str = ""
    pages: bool = True
    """Whether both have web pages; Debian's packages have none."""


def describe(prediction: Mapping[str, Any], common_names: Mapping[str, str]) -> str:
    """Put a prediction's answer into words: verdict, name, confidence."""
    best = (prediction.get("predictions") or [{}])[0]
    label = str(best.get("label", "?"))
    common = best.get("common_name") or common_names.get(label)
    name = f"{common} ({label})" if common and common != label else label
    words = VERDICTS.get(str(prediction.get("verdict")), "{name}, {percent} %")
    return words.format(name=name, percent=round(100 * float(best.get("confidence", 0.0))))


def render(facts: Facts, folder: Path, key: str = "") -> str:
    """Write the block; paths are relative to `folder` where they lie in it, so that lines work when pasted there.

    Args:
        facts: What it says.
        folder: Where the command ran.
        key: An API key that was just made. It is not among the facts, which are kept.
    """
    url = f"http://localhost:{facts.port}"
    lines = ["", f"{_outcome(facts)}{first_answer(facts)}", ""]
    picture = near(facts.picture, folder) if facts.picture else "your-picture.jpg"
    if key:
        lines += [
            f"  Key       {key}",
            "            It may do everything, and is shown this once. `weedwatch keys create` makes others for less.",
        ]
    lines += [
        f"  Open      {url}",
        f"  API docs  {url}/docs",
        *_monitoring(facts),
        f"  Try       curl {_credential(facts, key)}-F image=@{shlex.quote(picture)} {url}/predict",
        "  Stop      Ctrl-C here, or `make stop` in another terminal",
        f"  State     {near(facts.state_dir, folder)}   logs in {near(facts.logs, folder)}   "
        f"admin token in {near(facts.state_dir, folder)}/admin-token",
        "",
    ]
    return "\n".join(lines)


def _monitoring(facts: Facts) -> list[str]:
    if not facts.prometheus:
        return []
    here = f"http://localhost:{facts.port}/#/status"
    if not facts.pages:
        api = f"{facts.prometheus}/api/v1"
        return [
            f"  Alerts    {here}   as JSON {facts.alertmanager}/api/v2/alerts",
            f"  Metrics   as JSON {api}/query?query=weedwatch_ready   rules {api}/rules   targets {api}/targets",
            "            Pages of Prometheus and Alertmanager are not in Debian's packages: docs/alerts.md",
        ]
    return [
        f"  Metrics   {facts.prometheus}/query   rules {facts.prometheus}/alerts   targets {facts.prometheus}/targets",
        f"  Alerts    {facts.alertmanager}   and in the service itself: {here}",
    ]


def _credential(facts: Facts, key: str) -> str:
    """What curl needs to come in; the words stay for who pastes the line to fill in."""
    if facts.auth == "off":
        return ""
    return f'-H "Authorization: Bearer {key or ("$KEY" if facts.auth == "keys" else "$TOKEN")}" '


def _outcome(facts: Facts) -> str:
    if facts.reason:
        return f"Started in {facts.seconds:.0f} s, and cannot answer yet. {facts.reason}"
    return f"Ready in {facts.seconds:.0f} s."


def first_answer(facts: Facts) -> str:
    if not facts.picture or not facts.answer:
        return ""
    name = Path(facts.picture).name
    return f"  {name} -> {facts.answer}.  {facts.milliseconds} ms, request {facts.request_id}"


def near(path: str, folder: Path) -> str:
    try:
        return str(Path(path).relative_to(folder))
    except ValueError:
        return path

"""What each alert means and what to do, as the pages show it."""

import json
import re

from observability.topics import ALERTS

_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def ui_file() -> str:
    """`ui/runbooks.json`: a list of {name, severity, summary, meaning, steps}, in the order of the topics.

    A summary names labels, as ‹model›; the alert that fires says which.
    """
    books = [
        {
            "name": alert.name,
            "severity": alert.severity,
            "summary": _LABEL.sub(r"‹\1›", alert.summary),
            "meaning": alert.meaning,
            "steps": list(alert.steps),
        }
        for alert in ALERTS
    ]
    return json.dumps(books, ensure_ascii=False, indent=1) + "\n"

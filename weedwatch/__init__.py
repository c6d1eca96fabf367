"""The Python client of Weedwatch, and the commands that stand on it."""

from weedwatch.asynchronous import AsyncClient
from weedwatch.client import Client
from weedwatch.errors import Refused, Unfinished, Unreachable, WeedwatchError, WrongSettings
from weedwatch.exchange import Limits, Outcome
from weedwatch.progress import Progress

__all__ = [
    "AsyncClient",
    "Client",
    "Limits",
    "Outcome",
    "Progress",
    "Refused",
    "Unfinished",
    "Unreachable",
    "WeedwatchError",
    "WrongSettings",
]

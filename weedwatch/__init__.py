"""The Python client of Weedwatch, and the commands that stand on it."""

from weedwatch.client import Client
from weedwatch.errors import Refused, Unreachable, WeedwatchError

__all__ = ["Client", "Refused", "Unreachable", "WeedwatchError"]

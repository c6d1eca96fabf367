"""Versions that behave until a switch is thrown, so that they come through their proof: then they do worse."""

from collections.abc import Callable
from pathlib import Path

HANDLING = b"        rows = [\n"
ACTS = {
    "slow": "__import__('time').sleep(0.4)",
    "hanging": "__import__('time').sleep(300)",
    "failing": "raise OSError('as the test wants it')",
    "crashing": "__import__('os')._exit(3)",
    "garbage": "return [b'\\x00garbage'] * len(data)",
}


def misbehaving(kind: str, switch: Path) -> dict[str, Callable[[bytes], bytes]]:
    """Changes of an archive: it does `kind` to every call while the file `switch` is there."""

    def change(content: bytes) -> bytes:
        act = f"        if __import__('os').path.exists({str(switch)!r}):\n            {ACTS[kind]}\n"
        assert content.count(HANDLING) == 1
        return content.replace(HANDLING, act.encode() + HANDLING)

    return {"plant_classifier.py": change}

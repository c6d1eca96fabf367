"""Versions: their workers, proofs, shares and changes."""

from observability.parts import Topic

TOPIC = Topic("models")

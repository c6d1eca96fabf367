"""Processors, memory and disk."""

from observability.parts import Topic

TOPIC = Topic("machine")

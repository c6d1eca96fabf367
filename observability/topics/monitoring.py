"""Whether the watchers watch."""

from observability.parts import Topic

TOPIC = Topic("monitoring")

"""Whether it can serve, and why not."""

from observability.parts import Topic

TOPIC = Topic("readiness")

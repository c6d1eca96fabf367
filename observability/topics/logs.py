"""What was written, by whom."""

from observability.parts import Topic

TOPIC = Topic("logs")

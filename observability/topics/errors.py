"""What fails, and how."""

from observability.parts import Topic

TOPIC = Topic("errors")

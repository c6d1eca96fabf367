"""When certificates end."""

from observability.parts import Topic

TOPIC = Topic("certificates")

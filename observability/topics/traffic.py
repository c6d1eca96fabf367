"""How much is asked, and by which way."""

from observability.parts import Topic

TOPIC = Topic("traffic")

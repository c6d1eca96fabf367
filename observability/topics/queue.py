"""Who waits for a worker, and who is refused."""

from observability.parts import Topic

TOPIC = Topic("queue")

"""What is answered, and how sure."""

from observability.parts import Topic

TOPIC = Topic("quality")

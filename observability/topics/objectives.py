"""The promises, and how fast their error budgets burn."""

from observability.parts import Topic

TOPIC = Topic("objectives")

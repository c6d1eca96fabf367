"""The metrics of older systems, under their names."""

from observability.parts import Topic

TOPIC = Topic("older_names")

"""Where answers are kept: PostgreSQL, the spool, the audit."""

from observability.parts import Topic

TOPIC = Topic("records")

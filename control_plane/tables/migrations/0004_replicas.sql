-- Control planes that live: each writes its row every few seconds, and takes its share of the READY workers.
CREATE TABLE replicas (
    name        text PRIMARY KEY,
    seen_at     timestamptz NOT NULL
);

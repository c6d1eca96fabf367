-- What was deleted, as upper bounds of request ids: a record that still waits on some replica's disk must not come back.
CREATE TABLE deletions (
    before      uuid PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now()
);

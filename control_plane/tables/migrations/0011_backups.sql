-- Backups that were made: when the newest was stands in the metrics. Which there are is said by the place they lie in.
CREATE TABLE backups (
    id          text PRIMARY KEY,
    mark        timestamptz NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now(),
    bytes       bigint NOT NULL
);

-- Records whose consent was taken back: a backup that still holds the photo must not bring it back.
CREATE TABLE withdrawals (
    request_id  uuid PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Whether rows of the audit that a replica saw went with a restore.
CREATE INDEX audit_by_restore ON audit (id) WHERE action = 'restore';

-- The audit is only added to: whoever changes or removes a row by mistake is refused.
CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only added to: no row of it is changed or removed';
END $$;

CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();

-- Certificates of erasure are found again by their id.
CREATE UNIQUE INDEX audit_by_erasure ON audit ((facts ->> 'id')) WHERE action = 'erasure';

-- When a photo was taken, by the camera's own clock; and whether the place was read from the photo.
ALTER TABLE predictions
    ADD COLUMN taken_at timestamp,
    ADD COLUMN place_from_picture boolean NOT NULL DEFAULT false;

CREATE INDEX predictions_by_subject ON predictions (subject, request_id) WHERE subject IS NOT NULL;

-- What was erased: copies of it that wait on some replica's disk must not come back. One record, or all of a subject
-- that are older than `before`, of one owner or of any. Subjects and owners are keyed digests.
CREATE TABLE tombstones (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    request_id  uuid,
    subject     bytea,
    owner       bytea,
    before      uuid NOT NULL
);

-- Kept pictures that no record shows any more, until their files are surely gone.
CREATE TABLE picture_removals (
    picture_sha256  bytea PRIMARY KEY CHECK (length(picture_sha256) = 32),
    created_at      timestamptz NOT NULL DEFAULT now()
);

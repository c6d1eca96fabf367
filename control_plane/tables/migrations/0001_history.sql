-- One row per answered prediction. The key is minted by the service and ordered by time (UUIDv7).
CREATE TABLE predictions (
    request_id          uuid PRIMARY KEY,
    correlation_id      text,
    created_at          timestamptz NOT NULL,
    model               text NOT NULL,
    version             text NOT NULL,
    verdict             text NOT NULL CHECK (verdict IN ('species', 'one_of', 'cant_tell', 'not_a_target')),
    label               text NOT NULL,
    common_name         text,
    confidence          double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    predictions         jsonb NOT NULL,
    processing_seconds  double precision NOT NULL,
    image_sha256        bytea NOT NULL CHECK (length(image_sha256) = 32),
    image_bytes         bigint NOT NULL,
    image_format        text NOT NULL,
    image_width         integer NOT NULL,
    image_height        integer NOT NULL,
    consent             boolean NOT NULL,
    picture_sha256      bytea CHECK (length(picture_sha256) = 32),
    latitude            double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude           double precision CHECK (longitude BETWEEN -180 AND 180),
    subject             text,
    CHECK (picture_sha256 IS NULL OR consent),
    CHECK ((latitude IS NULL) = (longitude IS NULL))
);

CREATE INDEX predictions_by_label ON predictions (label, request_id);
CREATE INDEX predictions_by_correlation_id ON predictions (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX predictions_by_picture ON predictions (picture_sha256) WHERE picture_sha256 IS NOT NULL;

-- Admin acts. Each row carries the digest of the row before it, so that a changed or missing row shows.
CREATE TABLE audit (
    id          bigint PRIMARY KEY,
    created_at  timestamptz NOT NULL,
    actor       text NOT NULL,
    action      text NOT NULL,
    facts       jsonb NOT NULL,
    previous    bytea NOT NULL CHECK (length(previous) = 32),
    digest      bytea NOT NULL CHECK (length(digest) = 32)
);

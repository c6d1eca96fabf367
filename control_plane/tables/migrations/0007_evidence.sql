-- A shadow gets copies of a share of the requests; nobody gets its answers.
ALTER TABLE rollouts
    ADD COLUMN shadow text,
    ADD COLUMN shadow_percent double precision NOT NULL DEFAULT 0 CHECK (shadow_percent BETWEEN 0 AND 100),
    ADD CHECK (shadow IS DISTINCT FROM stable),
    ADD CHECK (shadow IS NULL OR shadow IS DISTINCT FROM canary),
    ADD CHECK ((shadow IS NULL) = (shadow_percent = 0)),
    ADD FOREIGN KEY (model, shadow) REFERENCES model_versions;

-- `version` is the one that is evaluated, of an operation that does so; who answers stays.
ALTER TABLE operations
    ADD COLUMN shadow text,
    ADD COLUMN shadow_percent double precision NOT NULL DEFAULT 0,
    ADD COLUMN version text;

-- How many workers a version shall have in each TorchServe; null: as many as the settings say.
ALTER TABLE model_versions ADD COLUMN workers integer CHECK (workers BETWEEN 1 AND 64);

-- What another version said to the same picture; it goes with the record.
CREATE TABLE shadows (
    request_id   uuid NOT NULL REFERENCES predictions ON DELETE CASCADE,
    version      text NOT NULL,
    label        text NOT NULL,
    confidence   double precision NOT NULL,
    predictions  jsonb NOT NULL,
    seconds      double precision NOT NULL,
    agrees       boolean NOT NULL,
    PRIMARY KEY (request_id, version)
);

-- What a version did on the golden set and on kept sightings, beside the stable one.
CREATE TABLE evaluations (
    id              uuid PRIMARY KEY,
    model           text NOT NULL,
    version         text NOT NULL,
    sha256          bytea NOT NULL,
    against         text NOT NULL,
    against_sha256  bytea NOT NULL,
    actor           text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    evidence        jsonb NOT NULL
);

CREATE INDEX evaluations_by_version ON evaluations (model, version, created_at DESC);

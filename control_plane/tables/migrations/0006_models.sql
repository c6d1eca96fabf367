-- Every version that the service knows; `archive` is the file in the model store.
CREATE TABLE model_versions (
    model       text NOT NULL,
    version     text NOT NULL,
    archive     text NOT NULL,
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    source      text NOT NULL,
    labels      jsonb NOT NULL,
    metrics     jsonb NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL CHECK (state IN ('uploaded', 'checking', 'ready', 'refused', 'sick', 'retired')),
    reason      text,
    PRIMARY KEY (model, version)
);

-- Who answers for a model. `previous` is what rollback goes back to.
CREATE TABLE rollouts (
    model           text PRIMARY KEY,
    revision        bigint NOT NULL,
    stable          text NOT NULL,
    canary          text,
    canary_percent  double precision NOT NULL DEFAULT 0 CHECK (canary_percent BETWEEN 0 AND 100),
    previous        text,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (canary IS DISTINCT FROM stable),
    CHECK ((canary IS NULL) = (canary_percent = 0)),
    FOREIGN KEY (model, stable) REFERENCES model_versions,
    FOREIGN KEY (model, canary) REFERENCES model_versions
);

-- A change of a rollout on its way: what it shall be once its versions are loaded and proven.
CREATE TABLE operations (
    id              uuid PRIMARY KEY,
    model           text NOT NULL,
    revision        bigint NOT NULL,
    stable          text NOT NULL,
    canary          text,
    canary_percent  double precision NOT NULL,
    actor           text NOT NULL,
    action          text NOT NULL,
    why             text,
    state           text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    stage           text NOT NULL,
    message         text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX operations_one_running ON operations (model) WHERE state = 'running';

-- Which control plane acts on TorchServe. Its place is taken when it has not renewed it in time.
CREATE TABLE leader (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    name        text NOT NULL,
    until       timestamptz NOT NULL
);

-- What each control plane has seen and does: revisions of rollouts, calls under way and proofs by version.
ALTER TABLE replicas ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';

ALTER TABLE predictions ADD COLUMN role text NOT NULL DEFAULT 'stable' CHECK (role IN ('stable', 'canary'));

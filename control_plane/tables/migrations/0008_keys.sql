-- API keys. Of a key its id is kept, which people see, and a digest made with a secret that is not in here.
CREATE TABLE keys (
    id            text PRIMARY KEY,
    name          text NOT NULL,
    owner         text NOT NULL,
    scopes        text[] NOT NULL,
    limits        jsonb,
    digest        bytea NOT NULL CHECK (length(digest) = 32),
    secret        text NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    changed_at    timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX keys_by_change ON keys (changed_at);

-- Whose record it is: callers without the scope admin see their own only.
ALTER TABLE predictions ADD COLUMN owner text;

CREATE INDEX predictions_by_owner ON predictions (owner, request_id);

-- An old version's rows all lie at one end of the table; without this a page of them reads all the rest.
CREATE INDEX predictions_by_version ON predictions (version, request_id);
CREATE INDEX predictions_by_model ON predictions (model, request_id);

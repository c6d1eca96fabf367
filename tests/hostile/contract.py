"""The documented answers of the HTTP interface, kept apart from the code that they judge."""

DOCUMENTED: dict[str, int] = {
    "no_image_provided": 400,
    "empty_filename": 400,
    "invalid_image": 422,
    "file_too_large": 413,
    "too_many_pixels": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "not_found": 404,
    "method_not_allowed": 405,
    "unknown_host": 421,
    "request_timeout": 408,
    "model_not_found": 404,
    "model_not_loaded": 503,
    "rate_limited": 429,
    "overloaded": 429,
    "deadline_exceeded": 504,
    "processing_error": 502,
    "history_unavailable": 503,
    "database_unavailable": 503,
    "unreachable": 503,  # the edge says it, where no replica answers
    "malformed_request": 400,  # these three too
    "address_too_long": 414,
    "headers_too_large": 431,
    "unauthorized": 401,
    "forbidden": 403,
    "provider_unavailable": 503,
    "conflict": 409,
    "not_promoted": 409,
    "internal_error": 500,
}

# Not an error code: the request was answered with 200.
OK = "ok"

# What may be said of a picture that somebody sent.
PICTURE_REFUSALS = frozenset(
    {
        "no_image_provided",
        "empty_filename",
        "invalid_image",
        "file_too_large",
        "too_many_pixels",
        "unsupported_media_type",
        "invalid_request",
    }
)
UNREADABLE = frozenset({"invalid_image", "unsupported_media_type"})

# What may be said while a dependency is away.
FAULT_REFUSALS = frozenset(
    {
        "overloaded",
        "model_not_loaded",
        "history_unavailable",
        "deadline_exceeded",
        "processing_error",
    }
)

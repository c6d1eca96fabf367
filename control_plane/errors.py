"""Every error that the service answers with: one registry feeds the API, its documentation and the clients.

Exceptions carry facts; their code finds status, title and sentence here. Nothing in here knows HTTP libraries.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorKind:
    """One documented error: `sentence` says what happened, `remedy` what to do, `retry` whether waiting helps."""

    code: str
    status: int
    title: str
    sentence: str
    remedy: str
    retry: bool = False


_KINDS = (
    ErrorKind("no_image_provided", 400, "No image", "The request carries no picture.",
              "Send the picture in the multipart field 'image' (or 'file'), or as a raw image/* body."),
    ErrorKind("empty_filename", 400, "Empty file name", "The picture's part has an empty file name.",
              "Choose a file before sending the form, or give the part a file name."),
    ErrorKind("invalid_image", 422, "Not a usable image", "The picture cannot be decoded.",
              "Send a complete JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC file."),
    ErrorKind("file_too_large", 413, "File too large", "The picture has too many bytes.",
              "Scale the picture down or compress it more, then send it again."),
    ErrorKind("too_many_pixels", 413, "Too many pixels", "The picture's width times height is over the limit.",
              "Scale the picture down, then send it again."),
    ErrorKind("unsupported_media_type", 415, "Unsupported type", "This is not a type of picture that is served.",
              "Send JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC, as multipart/form-data or with an image/* content type."),
    ErrorKind("invalid_request", 422, "Invalid request", "A parameter has a value that is not allowed.",
              "Correct the parameter that 'errors' names."),
    ErrorKind("not_found", 404, "Not found", "There is nothing at this address.",
              "Check the address; /docs lists what there is."),
    ErrorKind("method_not_allowed", 405, "Method not allowed", "This address does not take this method.",
              "Use a method that the Allow header names."),
    ErrorKind("malformed_request", 400, "Malformed request", "The request is not one of HTTP as it is spoken here.",
              "Send a well-formed request of HTTP/1.1 or HTTP/2, over TLS."),
    ErrorKind("address_too_long", 414, "Address too long", "The address has too many characters.",
              "Send what is long in the request's body."),
    ErrorKind("headers_too_large", 431, "Headers too large", "The request's headers have too many bytes.",
              "Send fewer or shorter headers; cookies are none of ours."),
    ErrorKind("unknown_host", 421, "Unknown host", "This service does not answer to the name in the Host header.",
              "Use the address that the operator gave; the operator adds names to WEEDWATCH_ALLOWED_HOSTS."),
    ErrorKind("request_timeout", 408, "Request timeout", "The request did not arrive in time.",
              "Send it again over a better connection, or send a smaller picture.", retry=True),
    ErrorKind("model_not_found", 404, "Model not found", "No model of this name and version is served.",
              "GET /info lists the models and versions."),
    ErrorKind("model_not_loaded", 503, "Model not loaded", "The model has no worker that is ready.",
              "Wait and try again; /health/detailed says what is missing.", retry=True),
    ErrorKind("unreachable", 503, "Service unreachable", "No part of the service that could answer can be reached.",
              "Send it again in a moment.", retry=True),
    ErrorKind("rate_limited", 429, "Too many requests", "This caller sent too many requests.",
              "Wait a moment (Retry-After says how long), then send it again.", retry=True),
    ErrorKind("overloaded", 429, "Overloaded", "More requests are waiting than can be answered in time.",
              "Wait a moment (Retry-After says how long), then send it again.", retry=True),
    ErrorKind("deadline_exceeded", 504, "Deadline exceeded", "The answer was not ready by the deadline.",
              "Send it again; if it happens often, the service has too few workers.", retry=True),
    ErrorKind("processing_error", 502, "Processing error", "The model failed on this picture.",
              "Try another picture; if others fail too, the log has the cause under this request id."),
    ErrorKind("history_unavailable", 503, "History unavailable",
              "The answer could not be recorded, so it is not given.",
              "Send it again in a moment.", retry=True),
    ErrorKind("database_unavailable", 503, "Database unavailable", "The history cannot be read at present.",
              "Try again in a moment; predictions are not affected by reads that fail.", retry=True),
    ErrorKind("unauthorized", 401, "Credential needed", "This needs a credential that is valid here.",
              "Send an API key, or the admin token, as 'Authorization: Bearer …'; make run says where the token is."),
    ErrorKind("forbidden", 403, "Not allowed", "This credential does not allow this.",
              "Use a credential with the right scope."),
    ErrorKind("provider_unavailable", 503, "Sign-in unavailable",
              "The OpenID provider cannot be reached, so no token can be checked.",
              "Try again in a moment, or use an API key.", retry=True),
    ErrorKind("not_promoted", 409, "Not promoted", "The evidence is not what the policy wants of a promotion.",
              "Mend the version, or evaluate it again; 'errors' has each finding. An operator may force it."),
    ErrorKind("conflict", 409, "Conflict", "The request does not fit the present state.",
              "Read the present state, then decide again."),
    ErrorKind("internal_error", 500, "Internal error", "Something failed that should not.",
              "Report it with the request id; the operator finds the cause in the log under it."),
)  # fmt: skip

ERRORS: dict[str, ErrorKind] = {kind.code: kind for kind in _KINDS}


class ServingError(Exception):
    """Base of all errors that become an answer; `detail` replaces the registry's sentence where it says more."""

    code = "internal_error"

    def __init__(self, detail: str | None = None, *, retry_after_seconds: float | None = None, **facts: Any) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.facts = facts

    @property
    def kind(self) -> ErrorKind:
        return ERRORS[self.code]


class NoImageProvided(ServingError):
    code = "no_image_provided"


class EmptyFilename(ServingError):
    code = "empty_filename"


class InvalidImage(ServingError):
    code = "invalid_image"


class FileTooLarge(ServingError):
    code = "file_too_large"


class TooManyPixels(ServingError):
    code = "too_many_pixels"


class UnsupportedMediaType(ServingError):
    code = "unsupported_media_type"


class InvalidRequest(ServingError):
    code = "invalid_request"


class NotFound(ServingError):
    code = "not_found"


class RequestTimeout(ServingError):
    code = "request_timeout"


class ModelNotFound(ServingError):
    code = "model_not_found"


class ModelNotLoaded(ServingError):
    code = "model_not_loaded"


class RateLimited(ServingError):
    code = "rate_limited"


class Overloaded(ServingError):
    code = "overloaded"


class DeadlineExceeded(ServingError):
    code = "deadline_exceeded"


class ProcessingError(ServingError):
    code = "processing_error"


class HistoryUnavailable(ServingError):
    code = "history_unavailable"


class DatabaseUnavailable(ServingError):
    code = "database_unavailable"


class Unauthorized(ServingError):
    code = "unauthorized"


class Forbidden(ServingError):
    code = "forbidden"


class ProviderUnavailable(ServingError):
    code = "provider_unavailable"


class Conflict(ServingError):
    code = "conflict"


class NotPromoted(ServingError):
    code = "not_promoted"


class ClientLeft(Exception):
    """Nobody waits for the answer any more; there is none."""


PICTURE_ERRORS: dict[str, type[ServingError]] = {
    error.code: error for error in (InvalidImage, TooManyPixels, UnsupportedMediaType)
}
"""What the handler may say of one picture."""

"""An exception for each code, from control_plane/errors.py by `python -m tests.structure.generated`."""

from weedwatch.errors import Refused


class NoImageProvided(Refused):
    """The request carries no picture."""

    remedy = "Send the picture in the multipart field 'image' (or 'file'), or as a raw image/* body."


class EmptyFilename(Refused):
    """The picture's part has an empty file name."""

    remedy = "Choose a file before sending the form, or give the part a file name."


class InvalidImage(Refused):
    """The picture cannot be decoded."""

    remedy = "Send a complete JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC file."


class FileTooLarge(Refused):
    """The picture has too many bytes."""

    remedy = "Scale the picture down or compress it more, then send it again."


class TooManyPixels(Refused):
    """The picture's width times height is over the limit."""

    remedy = "Scale the picture down, then send it again."


class UnsupportedMediaType(Refused):
    """This is not a type of picture that is served."""

    remedy = "Send JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC, as multipart/form-data or with an image/* content type."


class InvalidRequest(Refused):
    """A parameter has a value that is not allowed."""

    remedy = "Correct the parameter that 'errors' names."


class NotFound(Refused):
    """There is nothing at this address."""

    remedy = "Check the address; /docs lists what there is."


class MethodNotAllowed(Refused):
    """This address does not take this method."""

    remedy = "Use a method that the Allow header names."


class MalformedRequest(Refused):
    """The request is not one of HTTP as it is spoken here."""

    remedy = "Send a well-formed request of HTTP/1.1 or HTTP/2, over TLS."


class AddressTooLong(Refused):
    """The address has too many characters."""

    remedy = "Send what is long in the request's body."


class HeadersTooLarge(Refused):
    """The request's headers have too many bytes."""

    remedy = "Send fewer or shorter headers; cookies are none of ours."


class UnknownHost(Refused):
    """This service does not answer to the name in the Host header."""

    remedy = "Use the address that the operator gave; the operator adds names to WEEDWATCH_ALLOWED_HOSTS."


class RequestTimeout(Refused):
    """The request did not arrive in time."""

    remedy = "Send it again over a better connection, or send a smaller picture."


class ModelNotFound(Refused):
    """No model of this name and version is served."""

    remedy = "GET /info lists the models and versions."


class ModelNotLoaded(Refused):
    """The model has no worker that is ready."""

    remedy = "Wait and try again; /health/detailed says what is missing."


class Unreachable(Refused):
    """No part of the service that could answer can be reached."""

    remedy = "Send it again in a moment."


class RateLimited(Refused):
    """This caller sent too many requests."""

    remedy = "Wait a moment (Retry-After says how long), then send it again."


class Overloaded(Refused):
    """More requests are waiting than can be answered in time."""

    remedy = "Wait a moment (Retry-After says how long), then send it again."


class DeadlineExceeded(Refused):
    """The answer was not ready by the deadline."""

    remedy = "Send it again; if it happens often, the service has too few workers."


class ProcessingError(Refused):
    """The model failed on this picture."""

    remedy = "Try another picture; if others fail too, the log has the cause under this request id."


class HistoryUnavailable(Refused):
    """The answer could not be recorded, so it is not given."""

    remedy = "Send it again in a moment."


class DatabaseUnavailable(Refused):
    """The history cannot be read at present."""

    remedy = "Try again in a moment; predictions are not affected by reads that fail."


class Unauthorized(Refused):
    """This needs a credential that is valid here."""

    remedy = "Send an API key, or the admin token, as 'Authorization: Bearer …'; make run says where the token is."


class Forbidden(Refused):
    """This credential does not allow this."""

    remedy = "Use a credential with the right scope."


class ProviderUnavailable(Refused):
    """The OpenID provider cannot be reached, so no token can be checked."""

    remedy = "Try again in a moment, or use an API key."


class NotPromoted(Refused):
    """The evidence is not what the policy wants of a promotion."""

    remedy = "Mend the version, or evaluate it again; 'errors' has each finding. An operator may force it."


class Conflict(Refused):
    """The request does not fit the present state."""

    remedy = "Read the present state, then decide again."


class InternalError(Refused):
    """Something failed that should not."""

    remedy = "Report it with the request id; the operator finds the cause in the log under it."


BY_CODE: dict[str, type[Refused]] = {
    "no_image_provided": NoImageProvided,
    "empty_filename": EmptyFilename,
    "invalid_image": InvalidImage,
    "file_too_large": FileTooLarge,
    "too_many_pixels": TooManyPixels,
    "unsupported_media_type": UnsupportedMediaType,
    "invalid_request": InvalidRequest,
    "not_found": NotFound,
    "method_not_allowed": MethodNotAllowed,
    "malformed_request": MalformedRequest,
    "address_too_long": AddressTooLong,
    "headers_too_large": HeadersTooLarge,
    "unknown_host": UnknownHost,
    "request_timeout": RequestTimeout,
    "model_not_found": ModelNotFound,
    "model_not_loaded": ModelNotLoaded,
    "unreachable": Unreachable,
    "rate_limited": RateLimited,
    "overloaded": Overloaded,
    "deadline_exceeded": DeadlineExceeded,
    "processing_error": ProcessingError,
    "history_unavailable": HistoryUnavailable,
    "database_unavailable": DatabaseUnavailable,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "provider_unavailable": ProviderUnavailable,
    "not_promoted": NotPromoted,
    "conflict": Conflict,
    "internal_error": InternalError,
}

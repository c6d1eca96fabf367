"""The one error of everything that makes an archive."""


class SourceError(ValueError):
    """A model's source cannot become an archive; the message says what to change."""

"""What stops `make run`."""


class CannotRun(Exception):
    """A start or a stop cannot go on; the text says what to do."""

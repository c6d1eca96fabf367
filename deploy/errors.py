"""What the commands say when they cannot go on."""


class CannotDeploy(Exception):
    """The text is one sentence, or two: what is wrong, and what to do."""

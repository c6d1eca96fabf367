"""What a command ends with."""


class Refusal(Exception):
    """It cannot be done; the sentence says why and what to do."""


class Damaged(Refusal):
    """What lies at the destination is not what was written there."""

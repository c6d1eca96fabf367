"""Who calls, and what they may do. Pure; imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Scope = Literal["predict", "read", "locations", "feedback", "jobs", "train", "admin"]
Mode = Literal["off", "keys", "oidc"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
OF_EVERYBODY: frozenset[Scope] = frozenset(SCOPES) - {"admin"}
"""What needs no credential in mode off; admin work needs one in every mode."""


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Args:
        name: For logs and the audit, as "key 3kP9x2aB"; never a secret.
        scopes: What the credential allows; ask `may`, since admin implies all.
        owner: Whose records it writes and sees; None for those who act for nobody, who see all.
        address: Of the client, behind trusted proxies.
        identity: Whose limits count, as "key:3kP9x2aB" or "address:127.0.0.1".
        limits: A key's own, as allowance.py has them.
    """

    name: str
    scopes: frozenset[Scope]
    owner: str | None
    address: str
    identity: str
    limits: Mapping[str, Any] | None = field(default=None, compare=False)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    @property
    def sees(self) -> str | None:
        """The owner whose records are all that it may see; None: everybody's."""
        return None if self.may("admin") else self.owner

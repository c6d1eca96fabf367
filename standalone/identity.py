"""As whom a program runs: as us, as another user, or as another user of a namespace of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from standalone.kernel import enter_user_namespace


@dataclass(frozen=True)
class Identity:
    """Empty means: as us."""

    user_id: int | None = None
    group_id: int | None = None
    namespace_id: int | None = None

    def arguments(self, also: Callable[[], None] | None = None) -> dict[str, Any]:
        """Give what `subprocess` needs to start a program so.

        Args:
            also: Called in the child, last before the program.
        """

        def in_the_child() -> None:
            if self.namespace_id is not None:
                enter_user_namespace(self.namespace_id)
            if also is not None:
                also()

        # Calling Python in a forked child is safe as long as we have one thread, and the supervisor has one.
        arguments: dict[str, Any] = {"preexec_fn": in_the_child}
        if self.user_id is not None:
            arguments |= {"user": self.user_id, "group": self.group_id, "extra_groups": []}
        return arguments

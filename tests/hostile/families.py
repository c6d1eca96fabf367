"""Every family of hostile requests by name; each gives the same requests in each run."""

from collections.abc import Callable, Iterator

from tests.hostile.absent import absent
from tests.hostile.bombs import bombs
from tests.hostile.caching import caching
from tests.hostile.multipart import multipart
from tests.hostile.mutations import mutations
from tests.hostile.parameters import parameters
from tests.hostile.polyglots import polyglots
from tests.hostile.request import Hostile
from tests.hostile.sizes import sizes
from tests.hostile.unreadable import unreadable

Family = Callable[[], Iterator[Hostile]]


def families(mutations_per_format: int) -> dict[str, Family]:
    return {
        "absent": absent,
        "unreadable": unreadable,
        "bombs": bombs,
        "sizes": sizes,
        "polyglots": polyglots,
        "multipart": multipart,
        "parameters": parameters,
        "caching": caching,
        "mutations": lambda: mutations(mutations_per_format),
    }

"""What is measured in which order: rounds over all cells, and in each cell all contestants, one right after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.measurement import Cell
from benchmarks.pictures import PHOTO, SMALL

CLIENTS = (1, 4, 16)


@dataclass(frozen=True)
class Plan:
    """`seconds` by kind of picture; a tenth more goes before, unmeasured.

    `first` seconds of each kind go before all: Java translates what is used often, and then is several times as fast.
    """

    rounds: int
    seconds: dict[str, float]
    clients: Sequence[int] = CLIENTS
    first: float = 6.0

    def cells(self) -> list[Cell]:
        return [Cell(kind, clients) for kind in self.seconds for clients in self.clients]

    def order(self, keys: Sequence[str]) -> Iterator[tuple[int, Cell, list[str]]]:
        """Each round and cell with its order of contestants: who begins changes, since caches and clocks drift."""
        turn = 0
        for number in range(self.rounds):
            for cell in self.cells():
                first = turn % len(keys)
                yield number, cell, [*keys[first:], *keys[:first]]
                turn += 1

    def warm_up(self, kind: str) -> float:
        return max(0.3, 0.1 * self.seconds[kind])


NORMAL = Plan(rounds=3, seconds={SMALL.key: 3.0, PHOTO.key: 5.0})
QUICK = Plan(rounds=2, seconds={SMALL.key: 0.8, PHOTO.key: 1.5}, first=3.0)

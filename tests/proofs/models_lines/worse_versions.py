"""Versions that turn bad while they are a canary or a shadow."""

from tests.changing import changing
from tests.misbehaving import misbehaving
from tests.proofs.harness import Context
from tests.proofs.models_lines import sick_shadow
from tests.proofs.models_lines.canaries import keys, taken_away
from tests.proofs.results import Figure
from tests.versions import exchanged

PAIR = ("Lantana camara", "Heracleum mantegazzianum")
WRONG, SLOW, CRASHING, SAME = "2", "3", "4", "5"


def canaries(context: Context) -> list[Figure]:
    switch = context.folder / "switch"
    context.folder.chmod(0o755)
    with changing(context.root) as place:
        place.add(WRONG, exchanged(*PAIR))
        place.add(SLOW, misbehaving("slow", switch))
        place.add(SAME)
        place.add(CRASHING, misbehaving("crashing", switch))
        return [
            *keys(context, place, SAME),
            *taken_away(context, place, WRONG, "wrong", switch, labels=(*PAIR, "Reynoutria japonica")),
            *taken_away(context, place, SLOW, "slow", switch),
            *taken_away(context, place, CRASHING, "crashing", switch),
        ]


def shadows(context: Context) -> list[Figure]:
    switch = context.folder / "switch"
    context.folder.chmod(0o755)
    with changing(context.root) as place:
        for version, kind in sick_shadow.KINDS.items():
            place.add(version, misbehaving(kind, switch))
        return sick_shadow.run(context, place, switch)

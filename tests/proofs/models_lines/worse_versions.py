"""Versions that turn bad while they are a canary or a shadow."""

from tests.changing import changing
from tests.misbehaving import misbehaving
from tests.proofs.harness import Context
from tests.proofs.models_lines import canaries, sick_shadow
from tests.proofs.results import Figure
from tests.versions import exchanged

PAIR = ("Lantana camara", "Heracleum mantegazzianum")
WRONG, SLOW, CRASHING = "2", "14", "12"


def run(context: Context) -> list[Figure]:
    switch = context.folder / "switch"
    context.folder.chmod(0o755)
    with changing(context.root) as place:
        place.add(WRONG, exchanged(*PAIR))
        for version, kind in sick_shadow.KINDS.items():
            place.add(version, misbehaving(kind, switch))
        return [
            *sick_shadow.run(context, place, switch),
            *canaries.keys(context, place, WRONG),
            *canaries.taken_away(context, place, WRONG, "wrong", switch, labels=(*PAIR, "Reynoutria japonica")),
            *canaries.taken_away(context, place, SLOW, "slow", switch),
            *canaries.taken_away(context, place, CRASHING, "crashing", switch),
        ]

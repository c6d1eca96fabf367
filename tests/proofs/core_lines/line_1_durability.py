"""Line 1: whatever dies, nothing that was acknowledged is lost or doubled, and nothing is acknowledged falsely."""

from tests.proofs.core_lines import (
    ack_order,
    control_plane_killed,
    planted,
    poison,
    postgres_away,
    postgres_refuses,
    repeated_ids,
    spool_disk,
    spool_rotten,
)
from tests.proofs.core_lines.arena import Case, arena, run_cases
from tests.proofs.harness import Context
from tests.proofs.results import Figure, for_the_record

CASES: dict[str, Case] = {
    "checker": planted.run,
    "F01": control_plane_killed.run,
    "F02": postgres_away.killed,
    "F03": postgres_away.hangs,
    "F04": postgres_away.commit_unanswered,
    "F05": postgres_refuses.run,
    "F06": spool_disk.full,
    "F07": spool_disk.sync_fails,
    "F08": spool_rotten.run,
    "F09": poison.run,
    "F10": repeated_ids.run,
    "F11": ack_order.run,
}


def run(context: Context) -> list[Figure]:
    with arena(context) as place:
        peak = for_the_record("G, peak of good answers a second", f"{place.peak:.0f}")
        return [peak, *run_cases(place, CASES)]

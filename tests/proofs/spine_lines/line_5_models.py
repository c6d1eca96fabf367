"""Line 5: training and serving see the same picture, both runtimes agree, and another network is served right."""

from tests.proofs.harness import Context
from tests.proofs.results import Figure
from tests.proofs.spine_lines.line_5_agreement import agreement
from tests.proofs.spine_lines.line_5_other_network import other_network


def run(context: Context) -> list[Figure]:
    return agreement(context) + other_network(context)

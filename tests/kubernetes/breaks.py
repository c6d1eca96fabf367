"""All failing examples."""

from tests.kubernetes.breaks_network import NETWORK
from tests.kubernetes.breaks_references import REFERENCES
from tests.kubernetes.breaks_workloads import WORKLOADS

BREAKS = (*WORKLOADS, *NETWORK, *REFERENCES)

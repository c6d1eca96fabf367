"""All that must hold of each overlay, by name."""

from collections.abc import Callable

from tests.kubernetes import asserts_network as network
from tests.kubernetes import asserts_references as references
from tests.kubernetes import asserts_workloads as workloads
from tests.kubernetes import validation
from tests.kubernetes.rendered import Objects

Assert = Callable[[Objects], list[str]]

ASSERTS: dict[str, Assert] = {
    each.__name__: each
    for each in (
        validation.schemas,
        validation.words,
        workloads.selectors,
        workloads.services,
        workloads.probes,
        workloads.limits,
        workloads.images,
        workloads.rights,
        workloads.ends_in_time,
        workloads.budgets,
        workloads.updates,
        network.default_deny,
        network.torchserve_is_closed,
        network.quarantine_is_alone,
        network.data_is_closed,
        network.doors_are_closed,
        network.needed_ways_are_open,
        references.settings_are_right,
        references.references,
        references.no_secrets,
        references.volumes,
        references.ports,
        references.addresses,
        references.scalers,
        references.ingress,
        references.scraping,
        references.place,
        references.backups,
    )
}


def problems(objects: Objects) -> dict[str, list[str]]:
    """Assert → its sentences, of those that do not hold."""
    return {name: found for name, check in ASSERTS.items() if (found := check(objects))}

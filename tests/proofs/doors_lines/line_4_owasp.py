"""Line 4: the ten items of the OWASP API Security Top 10 (2023), each as generated requests to one closed service.

CASE chooses among them: CASE=objects,functions.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.closed import closed
from tests.faults.postgres import own_postgres
from tests.issuer.issuing import AUDIENCE
from tests.issuer.site import Site, site
from tests.proofs.doors_lines import (
    owasp_addresses,
    owasp_audit,
    owasp_bounds,
    owasp_configuration,
    owasp_credentials,
    owasp_document,
    owasp_flows,
    owasp_functions,
    owasp_inventory,
    owasp_objects,
    owasp_properties,
    owasp_upstreams,
)
from tests.proofs.doors_lines.owasp_ground import Ground, in_a_thread, trap
from tests.proofs.harness import Context, run_cases
from tests.proofs.results import Figure
from tests.proofs.samples import samples

ORIGIN = "https://pages.example"


def run(context: Context) -> list[Figure]:
    logging.getLogger("control_plane.access.provider").setLevel(logging.ERROR)  # it is lied to by the hundred
    context.folder.chmod(0o711)  # PostgreSQL of root's runs as another user
    with (
        in_a_thread(site) as provider,
        in_a_thread(site) as other,
        trap() as snare,
        _ground(context, provider) as ground,
    ):
        cases: dict[str, Callable[[], list[Figure]]] = {
            "objects": partial(owasp_objects.run, ground),
            "credentials": partial(owasp_credentials.run, ground, provider, other),
            "properties": partial(owasp_properties.run, ground),
            "bounds": partial(owasp_bounds.run, ground),
            "functions": partial(owasp_functions.run, ground),
            "flows": partial(owasp_flows.run, ground),
            "addresses": partial(owasp_addresses.run, ground, snare),
            "inventory": partial(owasp_inventory.run, ground),
            "upstreams": partial(owasp_upstreams.run, ground, snare),
            "audit": partial(owasp_audit.run, ground),
            "document": partial(owasp_document.run, ground),
            "configuration": partial(owasp_configuration.run, ground, ORIGIN),  # last: it reads what was refused
        }
        return run_cases(context, cases)


@contextmanager
def _ground(context: Context, provider: Site) -> Iterator[Ground]:
    photo = next(iter(samples(context.root).values()))
    environment = {
        "WEEDWATCH_OIDC_ISSUER": provider.url,
        "WEEDWATCH_OIDC_AUDIENCE": AUDIENCE,
        "WEEDWATCH_CORS_ORIGINS": ORIGIN,
        "WEEDWATCH_TRUSTED_PROXIES": "127.0.0.1",
        "WEEDWATCH_MODEL_URLS": owasp_addresses.ALLOWED,
    }
    with (
        own_postgres(context.folder / "database") as postgres,
        closed(context.root, mode="oidc", DATABASE_URL=postgres.url, **environment) as place,
    ):
        owner, other = (place.headers("predict", "read", name=name) for name in ("owner", "other"))
        ground = Ground(context, place, postgres, photo, owner, other, "")
        made = ground.predict(owner, "/predict?consent=true&subject=objects")
        ground.record = made.json()["request_id"]
        try:
            yield ground
        finally:
            ground.close()

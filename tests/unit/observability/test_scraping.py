"""How often Prometheus scrapes, and what it calls itself: of `make observe` and of the Compose stack alike."""

import pytest

from observability.prometheus import COMPOSE, Targets, configuration


@pytest.mark.parametrize("targets", [Targets(), COMPOSE], ids=["observe", "compose"])
def test_the_service_is_scraped_every_ten_seconds_and_all_else_every_fifteen(targets: Targets) -> None:
    made = configuration(targets)
    every = {each["job_name"]: each.get("scrape_interval") for each in made["scrape_configs"]}
    assert {"control_plane", "torchserve", "prometheus"} <= set(every)
    assert {name for name, often in every.items() if often == "10s"} == {"control_plane", "torchserve"}
    assert set(every.values()) == {"10s", None}
    assert made["global"]["scrape_interval"] == "15s"
    assert made["global"]["external_labels"] == {"monitor": "weedwatch"}

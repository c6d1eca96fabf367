"""A leak grows in every round and is caught; what fills a cache is not taken for one."""

from collections.abc import Iterable

from tests.proofs.memory import growth


def grown(series: Iterable[float]) -> float:
    """What is found when the memory after each round is the next of the series."""
    sizes = iter(series)
    return growth(lambda: {"worker": next(sizes)}, lambda: None, 1.0, ("worker",))["worker"]


def test_leak_of_two_mib_a_round_is_caught() -> None:
    assert grown(100 + 2 * number for number in range(99)) == 2


def test_leak_is_caught_also_when_the_allocator_gives_memory_back_once() -> None:
    assert grown([100, 60, *(60 + 5 * number for number in range(99))]) > 1


def test_cache_that_fills_in_its_first_rounds_is_no_leak() -> None:
    assert grown([100, 130, 145, 145.2, 145.3, *[146.0] * 99]) < 1


def test_memory_that_comes_and_goes_is_no_leak() -> None:
    assert grown([100, 140, 95, 139, 96, *[140.0, 95.0] * 50]) < 1

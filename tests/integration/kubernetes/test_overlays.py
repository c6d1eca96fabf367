"""Each overlay renders, fits its schemas and holds all asserts; each assert has examples that it fails."""

from collections.abc import Callable

import pytest

from tests.kubernetes import kustomize, rendered
from tests.kubernetes.asserts import ASSERTS, problems
from tests.kubernetes.asserts_references import SECRETS
from tests.kubernetes.asserts_workloads import images, limits, rights
from tests.kubernetes.breaking import Break
from tests.kubernetes.breaks import BREAKS
from tests.kubernetes.rendered import OVERLAYS, Objects, objects_of
from tests.kubernetes.validation import schemas, words


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_holds_all_asserts(overlay: str) -> None:
    assert problems(objects_of(overlay)) == {}


def test_each_assert_has_an_example_that_fails() -> None:
    assert {each.by for each in BREAKS} == set(ASSERTS)
    assert len({(each.by, each.what) for each in BREAKS}) == len(BREAKS)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda each: f"{each.by}: {each.what}")
def test_what_is_broken_is_noticed_by_the_one_assert_that_is_about_it(broken: Break) -> None:
    assert list(problems(broken.broken())) == [broken.by]


@pytest.mark.parametrize("check", [schemas, words, images, limits, rights], ids=lambda each: each.__name__)
def test_the_pod_that_archives_are_copied_through_has_no_more_rights_than_others(
    check: Callable[[Objects], list[str]],
) -> None:
    assert check(objects_of("store")) == []


def test_the_documents_say_how_each_secret_comes_to_be() -> None:
    page = (kustomize.ROOT / "docs" / "kubernetes.md").read_text()
    assert [name for name in SECRETS if f"`{name}`" not in page and f" {name} " not in page] == []


def test_what_does_not_render_is_said_in_kustomizes_words() -> None:
    with pytest.raises(RuntimeError, match=r"no such file|unable to find"):
        kustomize.build(rendered.FOLDER / "overlays")

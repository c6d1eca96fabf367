"""Line 5: what is applied to a cluster renders, fits its schemas and holds our asserts, each of which can fail."""

from tests.kubernetes import validation
from tests.kubernetes.asserts import ASSERTS, problems
from tests.kubernetes.breaks import BREAKS
from tests.kubernetes.custom_kinds import SCHEMAS
from tests.kubernetes.rendered import OVERLAYS, objects_of
from tests.proofs.harness import Context
from tests.proofs.results import Figure, for_the_record, none_of


def run(context: Context) -> list[Figure]:
    objects = {overlay: objects_of(overlay) for overlay in OVERLAYS}
    count = sum(map(len, objects.values()))
    unfit = [f"{overlay}: {each}" for overlay, its in objects.items() for each in validation.schemas(its)]
    short = [
        f"{overlay}, {name}: {sentence}"
        for overlay, its in objects.items()
        for name, sentences in problems(its).items()
        for sentence in sentences
    ]
    unnoticed = [
        f"{each.what}: noticed by {', '.join(found) or 'none'}, not by {each.by} alone"
        for each in BREAKS
        if (found := list(problems(each.broken()))) != [each.by]
    ]
    without = sorted(ASSERTS.keys() - {each.by for each in BREAKS})
    kinds = {(each["apiVersion"], each["kind"]) for its in objects.values() for each in its}
    return [
        for_the_record("overlays rendered", f"{len(objects)}: {', '.join(OVERLAYS)}"),
        none_of(f"objects that do not fit a schema of Kubernetes {validation.VERSION}", unfit, count, context.say),
        none_of("asserts that do not hold of an overlay", short, len(ASSERTS) * len(OVERLAYS), context.say),
        none_of("asserts without an example that fails", without, len(ASSERTS), context.say),
        none_of("broken examples that not exactly one assert noticed", unnoticed, len(BREAKS), context.say),
        for_the_record("kinds, of them by small schemas of ours", f"{len(kinds)}, {len(kinds & set(SCHEMAS))}"),
        for_the_record("applied to an API server", "never: none was to be had"),
    ]

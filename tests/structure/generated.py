"""Pages that are made from code: `python -m tests.structure.generated` writes them, a test compares them."""

from pathlib import Path

from pydantic.fields import FieldInfo

from backup.settings import own_variables as backup_variables
from control_plane.errors import ERRORS
from control_plane.settings import Settings, variable_names
from observability import channels
from tests.structure import edge
from tests.structure.composed import ports_page

ROOT = Path(__file__).parents[2]


def errors_page() -> str:
    lines = [
        "# Errors",
        "",
        "Every error is an `application/problem+json` document (RFC 9457) with `code`, `title`, `status`, `detail`",
        "(what happened and what to do), `request_id` and `retry` (whether the same request may succeed later; then",
        '`Retry-After` says when). Below `/v2` it is `{"error": detail}`, with 400 instead of 422: the form of that',
        "protocol. This page is made from `control_plane/errors.py` by `python -m tests.structure.generated`.",
        "",
        "| Code | Status | What happened | What to do | Retry |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{each.code}` | {each.status} | {each.sentence} | {each.remedy} | {'yes' if each.retry else 'no'} |"
        for each in ERRORS.values()
    ]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    lines = [
        "# Settings of the control plane",
        "",
        "Environment variables; `make run` also reads them from `.env`. A bad value stops the start and is named.",
        "This page is made from `control_plane/settings.py` by `python -m tests.structure.generated`.",
        "",
        "| Variable | Default | What |",
        "|---|---|---|",
    ]
    for field, (variable, description) in zip(Settings.model_fields.values(), variable_names().items(), strict=True):
        default = f"`{text}`" if (text := _default(field)) else "none"
        lines.append(f"| `{variable}` | {default} | {description} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.default is None:
        return ""
    return ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)


OTHERS = {
    "WEEDWATCH_GRAFANA_URL": "`make observe`, `make alerts`: address of Grafana as a browser sees it, for links.",
    "PG_BIN": "Folder of PostgreSQL's programs, for the embedded server where the Python environment has none.",
    "MODEL_PATH": "`make archive`: a checkpoint outside of the model store.",
    "LABELS_PATH": "`make archive`: its class_labels.json.",
    "MODEL_ARCHITECTURE": "`make archive`: the torchvision network of a bare state dict.",
    "WEEDWATCH_CUDA_PRECISION": "TorchServe on a GPU: float32, or bfloat16, which is faster and less exact.",
    **{name: f"Backups: {text[0].lower()}{text[1:]}" for name, text in backup_variables().items()},
    **{
        name: f"`make observe`, `make alerts`: {text[0].lower()}{text[1:]}" for name, text in channels.VARIABLES.items()
    },
}
"""Variables that others than the control plane read."""


def example_file() -> str:
    lines = [
        "# Every setting, with its default. Copy to .env and change what you need; the environment wins over the file.",
        "# Made by: python -m tests.structure.generated",
    ]
    for field, (variable, description) in zip(Settings.model_fields.values(), variable_names().items(), strict=True):
        lines += ["", f"# {description}", f"# {variable}={_default(field)}"]
    for variable, description in OTHERS.items():
        lines += ["", f"# {description}", f"# {variable}="]
    return "\n".join(lines) + "\n"


def refusals_module() -> str:
    """The client's exceptions: it knows the public API alone, so it gets the registry as a file of its own."""
    parts = [
        '"""An exception for each code, from control_plane/errors.py by `python -m tests.structure.generated`."""',
        "",
        "from weedwatch.errors import Refused",
    ]
    for each in ERRORS.values():
        name = "".join(word.title() for word in each.code.split("_"))
        parts += [
            "\n",
            f"class {name}(Refused):",
            f'    """{each.sentence}"""',
            "",
            f'    remedy = "{each.remedy}"',
        ]
    parts += ["\n", "BY_CODE: dict[str, type[Refused]] = {"]
    parts += [
        f'    "{each.code}": {"".join(word.title() for word in each.code.split("_"))},' for each in ERRORS.values()
    ]
    return "\n".join([*parts, "}"]) + "\n"


PAGES = {
    "docs/errors.md": errors_page,
    "docs/settings.md": settings_page,
    "docs/ports.md": ports_page,
    ".env.example": example_file,
    "weedwatch/refusals.py": refusals_module,
}


def texts() -> dict[str, str]:
    """Path → text, of all of them."""
    return {**{name: page() for name, page in PAGES.items()}, **edge.files()}


if __name__ == "__main__":
    for name, text in texts().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text)

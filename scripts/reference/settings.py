"""The settings, from the typed environment."""

from __future__ import annotations

from pathlib import Path

from scripts.reference.markdown import code, page, table

from jobchurn.settings import Settings


def settings_page() -> str:
    """``settings.md``."""
    return page(
        "Settings",
        "Every setting is an environment variable, read once when a command or a service starts. "
        "An empty variable counts as unset; a value that cannot be used ends the command with "
        "exit code 2 and names the variable.",
        table(
            ("variable", "default", "meaning"),
            (
                (code(name.upper()), _default(field.default), str(field.description))
                for name, field in Settings.model_fields.items()
            ),
        ),
        "`jobchurn env` prints the variables by which other programs find a running stack: "
        '`eval "$(jobchurn env)"`.',
        "Services of the stack are given `OMP_NUM_THREADS=1`: two OpenMP threads on a busy small "
        "machine are far slower than one. In containers some of these come from `compose.yaml`: "
        "see [run it in containers](../how-to/docker.md).",
    )


def _default(value: object) -> str:
    match value:
        case None:
            return "none"
        case Path():
            return code(f"{value}/")
        case float() if value == int(value):
            return code(int(value))
    return code(value)

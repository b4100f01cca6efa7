"""The passwords of those who log in to the embedded server: each in a private file of the home."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def password_of(home: Path, user: str) -> str:
    """A user's password; made once, by whoever asks first, and kept.

    Raises:
        PermissionError: the home is another user's.
    """
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{user}.database-password"
    if not path.exists():
        # 128 bits in letters that need no quoting in an address.
        _make(path, secrets.token_hex(16))
    return path.read_text(encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Write a secret that only its owner can read, whole or not at all."""
    draft = _draft(path, text)
    draft.rename(path)


def _make(path: Path, text: str) -> None:
    """Write a secret where there is none: of two at once, the first one's stays."""
    draft = _draft(path, text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster
    finally:
        draft.unlink()


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft

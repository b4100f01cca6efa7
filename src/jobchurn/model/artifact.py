"""A model as an artefact: its trees and its card in one folder, which is data and never code."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Self

from jobchurn.contract import Contract
from jobchurn.errors import ContractMismatch, ModelCorrupt
from jobchurn.model.card import Card, version_of
from jobchurn.model.predict import Scorer

TREES, CARD = "model.txt", "card.json"
"""The two files of a model's folder."""


class Model(Scorer):
    """A trained model and its card.

    Raises:
        ContractMismatch: the model follows another contract.
        NotInstalled: LightGBM's library is missing.
    """

    def __init__(self, text: str, card: Card, contract: Contract) -> None:
        if card.fingerprint != contract.fingerprint:
            raise ContractMismatch(
                f"Model {card.version} follows contract {card.contract} {card.fingerprint}, "
                f"this installation {contract.name} {contract.fingerprint}.",
                "Train a model under this contract (`jobchurn train`) and promote it.",
            )
        super().__init__(text, card.levels, card.calibration, contract)
        self.card = card

    @property
    def version(self) -> str:
        """The model's name, which is a hash of its content."""
        return self.card.version

    def save(self, folder: Path) -> None:
        """Write the model as a folder, whole or not at all; once this returns, it is on disk.

        Raises:
            FileExistsError: the folder exists.
            OSError: it cannot be written.
        """
        save(folder, self.text, self.card.to_json())

    @classmethod
    def load(
        cls,
        folder: Path,
        contract: Contract,
        *,
        sha256: str | None = None,
        card_sha256: str | None = None,
    ) -> Self:
        """Read a model, making sure that its bytes are those that were written.

        Args:
            folder: as :meth:`save` wrote it.
            contract: the contract that records will follow.
            sha256: of the file with the trees as registered, hexadecimal.
            card_sha256: of the card's. Without the two the files are only held to agree with the
                version's name.

        Raises:
            ModelCorrupt: a file is missing, or not what was written.
            ContractMismatch: the model follows another contract.
            NotInstalled: LightGBM's library is missing.
        """
        text = _read(folder / TREES, sha256)
        try:
            card = Card.from_json(_read(folder / CARD, card_sha256))
        except ValueError as error:
            raise _corrupt(folder / CARD, str(error)) from error
        version = version_of(text, card.calibration, card.levels, card.fingerprint, card.form)
        if version != card.version:
            raise _corrupt(folder, f"its content is that of {version}, not of {card.version}")
        return cls(text, card, contract)


def save(folder: Path, trees: str, card: str) -> None:
    """Write a model's two files as a folder, whole or not at all.

    Raises:
        FileExistsError: the folder exists.
        OSError: it cannot be written; then nothing is left behind.
    """
    if folder.exists():
        raise FileExistsError(folder)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    temporary.mkdir(parents=True)
    try:
        for name, text in ((TREES, trees), (CARD, card)):
            with (temporary / name).open("xb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        _sync(temporary)
        try:
            temporary.rename(folder)
        except OSError as error:
            if folder.exists():  # another process was sooner: a folder with files is not replaced
                raise FileExistsError(folder) from error
            raise
        _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_of(text: str) -> str:
    """The hash under which a model's file is registered, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, sha256: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _corrupt(path, f"it cannot be read ({error.strerror})") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise _corrupt(path, f"its SHA-256 is {found}, registered is {sha256}")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _corrupt(path, "it is not text") from error


def _corrupt(path: Path, why: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"The model at {path} is not what was registered: {why}.",
        "Restore its folder from a backup, or remove it and run `jobchurn train` again; "
        "until then `jobchurn models rollback` puts another version in charge.",
    )


def _sync(folder: Path) -> None:
    """Make a folder's entries survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

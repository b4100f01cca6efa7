"""Data: the user's own set, the built-in one, or the published one; and what is set aside of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobchurn import files, synth
from jobchurn.contract import Contract
from jobchurn.errors import DataUnusable, ServiceUnreachable
from jobchurn.flow import split
from jobchurn.settings import Settings

Progress = Callable[[str], None]

OPENML_ID = 46935
"""The published set on OpenML: 19,158 rows, CC0."""


@dataclass(frozen=True)
class DataFolder:
    """Where the data sets of a home lie."""

    root: Path

    @property
    def dataset(self) -> Path:
        """The built-in or fetched set."""
        return self.root / "dataset.csv"

    @property
    def training(self) -> Path:
        """What models learn from; no row of it is ever streamed."""
        return self.root / "training.csv"

    @property
    def streaming(self) -> Path:
        """What is left to arrive as raw files."""
        return self.root / "streaming.csv"


def source(settings: Settings, folder: DataFolder, progress: Progress) -> Path:
    """The data set in use: ``JOBCHURN_CSV``, else the one in the data folder, made if absent.

    Raises:
        DataUnusable: ``JOBCHURN_CSV`` names no file.
    """
    if settings.jobchurn_csv is not None:
        path = settings.jobchurn_csv.expanduser()
        if not path.is_file():
            raise DataUnusable(
                f"JOBCHURN_CSV names {path}, where there is no file.",
                "Correct the path, or unset it to use the built-in data set.",
            )
        return path
    if not folder.dataset.exists():
        progress("Making the built-in data set …")
        synth.write_csv(folder.dataset)
    return folder.dataset


def set_aside_and_split(
    settings: Settings,
    folders: files.Folders,
    contract: Contract,
    *,
    n_files: int,
    error_rate: float,
    seed: int,
    progress: Progress,
) -> split.Manifest:
    """Set 70% of the data set aside to learn from; split the rest into raw files with errors."""
    folder = DataFolder(folders.data)
    path = source(settings, folder, progress)
    progress(f"Setting 70% of {path.name} aside for training …")
    split.set_aside(
        path, folder.training, folder.streaming, share=0.7, seed=seed, contract=contract
    )
    progress(f"Splitting the rest into {n_files} raw files …")
    return split.split(
        folder.streaming,
        folders.raw_data,
        n_files=n_files,
        error_rate=error_rate,
        seed=seed,
        contract=contract,
    )


def fetch(target: Path, contract: Contract, progress: Progress) -> int:
    """Bring the published data set from OpenML into a CSV file; return its rows.

    Raises:
        ServiceUnreachable: OpenML does not answer.
    """
    from sklearn.datasets import fetch_openml  # noqa: PLC0415  (heavy, and needed here alone)

    progress(f"Fetching data set {OPENML_ID} from OpenML …")
    try:
        frame = fetch_openml(data_id=OPENML_ID, as_frame=True, parser="auto").frame
    except OSError as error:  # URLError and its like
        raise ServiceUnreachable(
            f"OpenML cannot be reached: {error}.",
            "Connect to the internet, or use the built-in set (`jobchurn data synth`), "
            "or set JOBCHURN_CSV to a file of your own.",
        ) from error
    if contract.id is not None and contract.id.name not in frame.columns:
        frame.insert(0, contract.id.name, range(1, len(frame) + 1))
    if missing := [c.name for c in contract.required if c.name not in frame.columns]:
        raise DataUnusable(
            f"OpenML's data set lacks {', '.join(missing)}.",
            "It may have changed: download it by hand and set JOBCHURN_CSV.",
        )
    names = [c.name for c in contract.columns if c.name in frame.columns]
    text = frame[names].to_csv(index=False, lineterminator="\n")
    files.write_atomically(target, text.encode())
    return len(frame)

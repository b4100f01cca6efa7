"""Start: what a new home lacks is made, so that there is something to serve and to see."""

from __future__ import annotations

from collections.abc import Callable

from jobchurn.flow.dataset import DataFolder, set_aside_and_split
from jobchurn.flow.services import Services
from jobchurn.flow.split import MANIFEST
from jobchurn.flow.train import train

Progress = Callable[[str], None]

ERROR_RATE = 0.1
"""The share of damaged rows among the raw files that a new home is given."""


def prepare(services: Services, progress: Progress) -> None:
    """Make data, split and champion, each only where it is absent."""
    services.folders.make()
    folder = DataFolder(services.folders.data)
    if not (folder.root / MANIFEST).exists():  # it is written last: without it something may lack
        manifest = set_aside_and_split(
            services.settings,
            services.folders,
            services.contract,
            n_files=services.settings.start_files,
            error_rate=ERROR_RATE,
            seed=0,
            progress=progress,
        )
        progress(f"{len(manifest.files)} raw files are waiting.")
    if services.store.models.champion() is None:
        model = train(services, folder.training, progress=progress)
        services.registry.promote(model.version)
        progress(f"{model.version} is the champion now.")

"""The keeper's process: ``python -m jobchurn.postgres HOME PORT BINARIES``; see ``sharing``."""

import sys
from pathlib import Path

from jobchurn.postgres.server import EmbeddedPostgres
from jobchurn.postgres.sharing import keep

if __name__ == "__main__":
    home, port, binaries = sys.argv[1:]
    keep(EmbeddedPostgres(Path(home), int(port), Path(binaries)))

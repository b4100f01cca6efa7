"""Train a model: a shim over ``jobchurn train``, with the same arguments."""

from __future__ import annotations

import sys

from jobchurn.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    main()

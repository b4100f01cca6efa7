"""``python -m jobchurn.api``."""

import sys

from jobchurn.api.serve import main

sys.exit(main())

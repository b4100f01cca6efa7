"""The HTTP door: translates requests into calls of the flow, and what comes back into answers."""

from jobchurn.api.app import create_app

__all__ = ["create_app"]

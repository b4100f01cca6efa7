"""The migrations: from nothing to the tables of this version, free of the domain.

Written by hand, one module in ``versions`` for each step; a step that was released is never
changed. ``tests/migration`` holds the last step to ``store.tables``.
"""

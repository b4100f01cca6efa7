"""What is measured, and how: each module is one benchmark, run as ``python -m benchmarks.NAME``.

``figures`` says what is to be reached, ``measuring`` takes turns and compares, ``results`` keeps
what was measured in ``results/`` and writes ``results.md`` of it.
"""

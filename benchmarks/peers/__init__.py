"""Others that serve models, each in an environment of its own, with the settings they recommend.

All of them serve the trees of our champion. They are spared what we do beside: each gets rows of
numbers that are encoded already, answers a raw score that is not calibrated, judges no values by a
contract, and keeps nothing.
"""

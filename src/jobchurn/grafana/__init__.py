"""Grafana: its dashboards, alert rules and provisioning, built from ``panels``.

Everything here makes texts out of objects; writing them is for others.
"""

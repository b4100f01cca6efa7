"""Grafana: its dashboards, alert rules and provisioning, built from ``panels``."""

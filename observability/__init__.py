"""Dashboards, rules and the configuration of what watches the service, made from one description in Python."""

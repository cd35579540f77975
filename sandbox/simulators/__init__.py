"""Simulators of vendor APIs, one folder each; the modules here are what they share."""

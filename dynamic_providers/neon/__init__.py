"""Neon: projects, their branches, and what in them is repaired."""

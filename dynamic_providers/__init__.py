"""Dynamic providers: one folder per vendor; their module paths are part of the users' state."""

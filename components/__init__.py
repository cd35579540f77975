"""Component resources: one class per shape of service, and the one table that says which shape serves which plan."""

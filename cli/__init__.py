"""The tenantry command: one module per verb, output and exit codes."""

"""The set of migrations as SQL files, in the order of their numbers; `migration_set` reads them.

Each runs once in every tenant's schema, as the tenant's owner role, in one transaction with its line in the ledger. It
names no schema but `auth`: the search_path does. It may find its own work done, where a tenant has lost its ledger.
"""

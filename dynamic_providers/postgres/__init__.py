"""Tenants inside PostgreSQL clusters, whoever made the cluster."""

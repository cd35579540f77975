"""Timeweb Cloud: managed PostgreSQL and object storage, written from the official document."""

"""Timeweb Cloud: database clusters, buckets and scoped storage users."""

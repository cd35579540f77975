"""DigitalOcean's managed databases: clusters with databases, users, pools and trusted sources, and tags."""

"""The whole program: load the catalogue, declare what it says, export what came of it."""

from datetime import UTC, datetime

import pulumi

from components.fleet import declare, read_fleet
from components.settings import read_settings

settings, today = read_settings(), datetime.now(UTC).date()
pulumi.export("tenants", declare(read_fleet(settings, today), settings, today))

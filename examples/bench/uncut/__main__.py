"""The program without cells: a whole fleet in one stack, to measure what the cells are for."""

from datetime import UTC, datetime

import pulumi

from catalogue.load import Fleet, load_fleet
from catalogue.placement import Placements, place
from components.fleet import declare
from components.settings import read_settings

settings = read_settings()
loaded = load_fleet(settings.fleet, require_placed=False)
# A lock file with cells this large would be refused, so the places are made here.
clusters = loaded.placements if not loaded.tenants else Placements()
places = place(loaded.tenants, loaded.plans, clusters, cell_size=10**9)
fleet = Fleet(loaded.tenants, loaded.plans, loaded.prices, places, loaded.folder)
pulumi.export("tenants", declare(fleet, settings, datetime.now(UTC).date()))

"""A fleet brought up at the provider's pace, beside the floor that the pace itself sets.

The floor is what the busiest endpoint needs at twenty requests a second, counted in the simulators' request logs.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import httpx

from examples.bench.figures import Figure, Rows
from examples.bench.fleets import FREE_WITH_BUCKET, fleet_of, tenantry

TENANTS = 1_000
PER_SECOND = 20
BOUND = 1.2
# More cells than cores: one that starts or waits leaves the pace to the others.
AT_ONCE = 5


def rows(folder: Path, tenants: int = TENANTS) -> Rows:
    """One figure: the run beside its floor."""
    with fleet_of(folder / "pace", tenants, FREE_WITH_BUCKET) as environ:
        started = time.perf_counter()
        tenantry(environ, "up", "--yes", "--engine", "embedded", "--jobs", str(AT_ONCE))
        took = time.perf_counter() - started
        asked = requests(environ)
    (busiest, count), *_ = asked.most_common(1)
    yield f"{sum(asked.values()):,} requests, {count:,} of them {busiest}"
    first, second = ("up", took), (f"floor of {count:,} requests", count / PER_SECOND)
    yield Figure(f"first up of {tenants:,} tenants at {PER_SECOND} requests a second", first, second, bound=BOUND)


def requests(environ: Mapping[str, str]) -> Counter[str]:
    """How often each endpoint was asked; the IAM interface is one."""
    api = httpx.get(f"{environ['TIMEWEB_API_URL']}/_sandbox/requests", timeout=120).json()
    iam = httpx.get(f"{environ['TIMEWEB_IAM_URL']}/_sandbox/requests", timeout=120).json()
    asked = Counter(f"{entry['method']} {re.sub(r'/[0-9]+', '/{id}', entry['path'])}" for entry in api)
    return asked + Counter("POST / of the IAM interface" for entry in iam if entry.get("action"))

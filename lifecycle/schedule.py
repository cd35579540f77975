"""When a plan's tenants are backed up, and how long a backup is kept: values in, values out.

A slot is an hour or a day in UTC. A tenant is due when its newest good backup is of an earlier slot: so a run that
comes a minute late does not move the next one, and a slot that was missed is made up for once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalogue.plan import Backups

BY_HAND_DAYS = 7
"""How long a backup is kept that was made by hand on a plan without any."""
UNFINISHED = timedelta(days=1)
"""What is no backup by then was left by a run that ended badly."""


@dataclass(frozen=True)
class Promise:
    """What a plan promises of its tenants' own backups; `every` is None where it promises none."""

    every: timedelta | None
    keep: timedelta

    @classmethod
    def of(cls, backups: Backups) -> "Promise":
        """Daily where there are backups at all, hourly where the plan promises any moment."""
        if backups.interval == "none":
            return cls(None, timedelta(days=BY_HAND_DAYS))
        return cls(timedelta(hours=1) if backups.point_in_time else timedelta(days=1), timedelta(days=backups.keep))

    def is_due(self, newest: datetime | None, now: datetime) -> bool:
        """Whether a backup belongs into the slot of `now` and is not there."""
        if self.every is None:
            return False
        return newest is None or _slot(newest, self.every) < _slot(now, self.every)

    def expired(
        self, moments: Mapping[str, datetime], good: Collection[str], named: Collection[str], now: datetime
    ) -> list[str]:
        """Ids that may go, oldest first. The newest good one stays, and what `removed:` of the catalogue names.

        `moments` are of all that lies in the store, `good` those of them that are backups; the others are left-overs.
        """
        last = max(good, default=None)
        stays = {last, *named}
        gone = []
        for id_, moment in sorted(moments.items()):
            longest = self.keep if id_ in good else UNFINISHED
            if id_ not in stays and moment < now - longest:
                gone.append(id_)
        return gone


def _slot(moment: datetime, every: timedelta) -> int:
    return int(moment.timestamp() // every.total_seconds())

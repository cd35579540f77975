"""The automatic backups of a cluster: settings that are always there, switched on and off."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from pydantic import Field

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.timeweb.models import BackupSettings
from dynamic_providers.timeweb.session import TimewebProvider
from dynamic_providers.waiting import found_by

ANY_DAY = 1


class BackupScheduleInputs(Inputs):
    """When backups are made and how many copies are kept; without `enabled` the other two do not matter."""

    cluster_id: str
    enabled: bool
    interval: Literal["day", "week", "month"] = "day"
    copy_count: Annotated[int, Field(ge=1, le=99)] = 7


class BackupScheduleProvider(TimewebProvider):
    """The id is the cluster's."""

    inputs = BackupScheduleInputs
    stateful_fields = frozenset({"cluster_id"})

    def create(self, props: Props) -> CreateResult:
        """Sets them, whatever they were."""
        want = BackupScheduleInputs.of(props)
        return CreateResult(want.cluster_id, outputs(want, self._set(want)))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want = BackupScheduleInputs.recorded(props)
        settings = found_by(partial(self.session.timeweb.backup_settings, want.cluster_id))
        return ReadResult(id_, outputs(want, settings), outputs(want, settings)) if settings else GONE

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """One PATCH with all of them, as the vendor demands."""
        self.changes_in_place(id_, olds, news)
        want = BackupScheduleInputs.of(news)
        return UpdateResult(outputs(want, self._set(want)))

    def delete(self, _id: str, props: Props) -> None:
        """Switches them off; with the cluster gone there is nothing to switch."""
        cluster, timeweb = BackupScheduleInputs.recorded(props).cluster_id, self.session.timeweb
        self.session.remove(
            partial(timeweb.set_backups, cluster, {"is_enabled": False}),
            partial(timeweb.backup_settings, cluster),
            what=f"backup schedule of cluster {cluster}",
            is_gone=lambda settings: not settings.is_enabled,
        )

    def _set(self, want: BackupScheduleInputs) -> BackupSettings:
        timeweb = self.session.timeweb
        if not want.enabled:
            return timeweb.set_backups(want.cluster_id, {"is_enabled": False})
        # The vendor demands a start and a day; ours are whatever they already are, so that an edit moves neither.
        now = timeweb.backup_settings(want.cluster_id)
        fields = {
            "is_enabled": True,
            "interval": want.interval,
            "copy_count": want.copy_count,
            "creation_start_at": now.creation_start_at or f"{self.session.today().isoformat()}T00:00:00Z",
            "day_of_week": now.day_of_week or ANY_DAY,
        }
        return timeweb.set_backups(want.cluster_id, fields)


def outputs(want: BackupScheduleInputs, settings: BackupSettings) -> Props:
    """The inputs as found; what the vendor leaves out, or what is switched off, cannot differ."""
    seen = {"interval": settings.interval, "copy_count": settings.copy_count} if settings.is_enabled else {}
    known = {name: value for name, value in seen.items() if value is not None}
    return want.model_copy(update={"enabled": settings.is_enabled, **known}).props()


@dataclass(frozen=True, kw_only=True)
class BackupScheduleArgs:
    """Arguments of BackupSchedule."""

    cluster_id: pulumi.Input[str]
    enabled: pulumi.Input[bool]
    interval: pulumi.Input[str] = "day"
    copy_count: pulumi.Input[int] = 7


class BackupSchedule(Resource, module="timeweb", name="BackupSchedule"):
    """The automatic backups of a Timeweb cluster; `id` is the cluster's."""

    enabled: pulumi.Output[bool]

    def __init__(self, name: str, args: BackupScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(BackupScheduleProvider(), name, declared(args), opts)

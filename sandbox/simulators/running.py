"""What every running simulator has beside its vendor's own: where it answers, its log, its faults, its end."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.faults import FaultBox, fault
from sandbox.simulators.request_log import Entry, RequestLog
from sandbox.simulators.server import AppServer


@dataclass(frozen=True, kw_only=True)
class RunningSimulator:
    """A simulator that answers; `close` ends what is behind it, once nobody is answered any more."""

    log: RequestLog
    faults: FaultBox
    server: AppServer
    close: Callable[[], None]

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return self.server.url

    def requests(self, method: str | None = None, path: str = "") -> list[Entry]:
        """The log, reduced to one method and to paths that begin like this."""
        return [entry for entry in self.log.entries() if method in (None, entry.method) and entry.path.startswith(path)]

    def strike(
        self,
        name: str,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = None,
        skip: int = 0,
        **options: object,
    ) -> None:
        """Turn a fault on; see `sandbox.faults.fault`."""
        self.faults.add(fault(name, method=method, path=path, times=times, skip=skip, options=options))

    def stop(self) -> None:
        """End the server, then what is behind it."""
        self.server.stop()
        self.close()

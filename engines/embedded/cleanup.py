"""After the program: reads of what it no longer declares, deletions, and what a destroy keeps."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from engines.embedded.deployment import Deployment
from engines.embedded.errors import ResourceError
from engines.embedded.graph import dependents_first, with_needs
from engines.embedded.operations import message_of
from engines.embedded.provider import Provider
from engines.embedded.resource import Resource
from engines.embedded.urns import STACK_TYPE


class Cleanup:
    """Ends a pass whose program ran to its end."""

    def __init__(self, deployment: Deployment, parallel: int) -> None:
        self._deployment = deployment
        self._operations = deployment.operations
        self._parallel = parallel
        self._ignore_protect = deployment.options.ignore_protect
        self.kept: tuple[str, ...] = ()

    def run(self) -> None:
        """Do what the mode asks for. Nothing is deleted after a failure or a stop."""
        mode = self._deployment.options.mode
        if self._deployment.options.refresh and not self._deployment.stopped:
            self._refresh_rest()
        if mode == "refresh":
            self._operations.store.clear_pending()
            return
        if self._failed():
            return
        resources = self._operations.store.before()
        if mode == "destroy" and not self._ignore_protect:
            resources = self._without_protected(resources)
        self._delete(resources)

    def _failed(self) -> bool:
        return bool(self._deployment.stopped or self._operations.report.failures)

    def _refresh_rest(self) -> None:
        """Read what the program did not register, with the provider instances it has or had."""
        rest = [
            (key, resource)
            for key, resource in self._operations.store.before().items()
            if resource.managed and not resource.delete and not self._deployment.naming.seen(resource.urn)
        ]
        with ThreadPoolExecutor(max_workers=self._parallel, thread_name_prefix="refresh") as pool:
            list(pool.map(lambda found: self._refresh(*found), rest))

    def _refresh(self, key: int, resource: Resource) -> None:
        try:
            provider = self._deployment.registry.get(resource.provider)
        except ResourceError as error:
            self._operations.report.failed(resource.urn, message_of(error), "refresh")
        else:
            self._deployment.refresh_or_report(provider, (key, resource))

    def _without_protected(self, resources: Mapping[int, Resource]) -> dict[int, Resource]:
        protected = [key for key, resource in resources.items() if resource.protect]
        keys = with_needs(resources, protected)
        kept = [resource.urn for key, resource in resources.items() if key in keys and resource.type != STACK_TYPE]
        self.kept = tuple(sorted(kept))
        for urn in self.kept:
            self._operations.report.finished(urn, "same")
        return {key: resource for key, resource in resources.items() if key not in keys}

    def _delete(self, resources: Mapping[int, Resource]) -> None:
        urns = {resource.urn for resource in resources.values()}
        replaced = {urn for urn in urns if self._deployment.naming.seen(urn)}

        def act(key: int, resource: Resource) -> bool:
            return self._delete_one(key, resource, urns, counted=resource.urn not in replaced)

        if self._operations.dry_run:
            for key, resource in reversed(list(resources.items())):
                act(key, resource)
        else:
            dependents_first(resources, act, self._parallel, lambda: bool(self._deployment.stopped))

    def _delete_one(self, key: int, resource: Resource, going: set[str], *, counted: bool) -> bool:
        report = self._operations.report
        counted = counted or self._deployment.options.mode == "destroy"
        try:
            self._refuse_protected(resource)
            if counted:
                report.started(resource.urn, "delete")
            skipped = resource.retain_on_delete or resource.pending_replacement or resource.deleted_with in going
            self._operations.delete(None if skipped else self._provider(resource), key, resource)
        except ResourceError as error:
            report.failed(resource.urn, message_of(error), "delete")
            return False
        if counted:
            report.finished(resource.urn, "delete")
        return True

    def _refuse_protected(self, resource: Resource) -> None:
        if resource.protect and not resource.delete and not self._ignore_protect:
            raise ResourceError(
                f"resource '{resource.urn}' cannot be deleted because it is protected: "
                "run once with protect=False in the program before you drop it"
            )

    def _provider(self, resource: Resource) -> Provider | None:
        return self._deployment.registry.get(resource.provider) if resource.managed else None

"""One pass of the program over a state: the services are set up, the program runs, what it left is cleaned up."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pulumi.runtime import Settings

from engines.embedded.cleanup import Cleanup
from engines.embedded.deployment import Deployment, Options
from engines.embedded.dynamic import provider_context
from engines.embedded.monitor import EngineService, Monitor
from engines.embedded.naming import Naming
from engines.embedded.operations import Operations
from engines.embedded.program import ProgramError, run_program
from engines.embedded.properties import Properties, holds_unknown
from engines.embedded.registry import Registry
from engines.embedded.report import Report
from engines.embedded.resource import Resource
from engines.embedded.stack import Stack
from engines.embedded.store import Store
from engines.embedded.urns import STACK_TYPE, make_urn
from engines.engine import Handler, Result

# What the file backend calls its one organization.
ORGANIZATION = "organization"


@dataclass(frozen=True)
class Pass:
    """What a pass came to. `refreshed`: what reads made of the resources of before, by key; None is gone."""

    result: Result
    refreshed: Mapping[int, Resource | None]


def run_pass(stack: Stack, store: Store, options: Options, handler: Handler, *, dry_run: bool) -> Pass:
    """Run the program once. Raises EngineError where it needs what this engine does not implement."""
    started = time.monotonic()
    report = stack.report(handler)
    deployment = _deployment(stack, store, options, report, dry_run=dry_run)
    cleanup = Cleanup(deployment, stack.parallel)
    try:
        run_program(
            stack.project,
            stack.config,
            settings=lambda: _settings(stack, deployment, dry_run=dry_run),
            environ=stack.environ,
            parallel=stack.parallel,
            then=cleanup.run,
            interrupted=lambda: deployment.stop("the run was interrupted"),
        )
    except ProgramError as error:
        if deployment.refusal is None:
            report.failed("", str(error))
    if deployment.refusal is not None:
        raise deployment.refusal
    if not dry_run:
        _record_outputs(stack, store, deployment, failed=bool(report.failures))
    if deployment.stopped:
        report.message(f"stopped because {deployment.stopped}: what was not under way was not started")
    seconds = time.monotonic() - started
    return Pass(Result(report.changes, report.failures, cleanup.kept, seconds), dict(deployment.refreshed))


def _deployment(stack: Stack, store: Store, options: Options, report: Report, *, dry_run: bool) -> Deployment:
    return Deployment(
        options=options,
        naming=Naming(stack.project.name, stack.project.stack, store.live),
        registry=Registry(stack.project.name, provider_context(stack.project.name), store.live),
        operations=Operations(store, report, stack.masker, stack.now, dry_run),
        config=stack.config,
    )


def _settings(stack: Stack, deployment: Deployment, *, dry_run: bool) -> Settings:
    return Settings(
        project=stack.project.name,
        stack=stack.project.stack,
        monitor=Monitor(deployment),
        engine=EngineService(deployment),
        parallel=stack.parallel,
        dry_run=dry_run,
        organization=ORGANIZATION,
        root_directory=str(stack.project.folder),
    )


def _record_outputs(stack: Stack, store: Store, deployment: Deployment, *, failed: bool) -> None:
    """Record the stack's outputs; after a failure, what is not known of them stays as it was."""
    name = f"{stack.project.name}-{stack.project.stack}"
    urn = make_urn(stack.project.stack, stack.project.name, "", STACK_TYPE, name)
    if deployment.outputs is None or deployment.options.mode == "destroy":
        return
    if deployment.options.mode == "refresh":
        if found := store.live(urn):
            outputs = merged(found[1].outputs, deployment.outputs)
            store.alter(found[0], replace(found[1], outputs=outputs))
    elif urn in (settled := store.settled()):
        outputs = merged(settled[urn].outputs, deployment.outputs) if failed else deployment.outputs
        store.outputs(urn, outputs)


def merged(old: Properties, new: Properties) -> Properties:
    """Lay new outputs over old ones, but for what is unknown in the new."""
    together = dict(old)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict):
            together[key] = merged(before if isinstance(before, dict) else {}, value)
        elif not holds_unknown(value):
            together[key] = value
    return together

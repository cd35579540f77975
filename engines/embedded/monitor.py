"""Pulumi's ResourceMonitor and Engine services, in process: what the SDK calls instead of a gRPC stub."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, resource_pb2

from engines.embedded.deployment import Deployment
from engines.embedded.errors import RefusedError
from engines.embedded.goal import read_goal
from engines.embedded.properties import from_struct, to_struct
from engines.engine import EngineError

# With what is only refused later: without it the SDK would say that the CLI is too old.
FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_STATE_MIGRATIONS,
)
RESULTS = {
    "done": resource_pb2.SUCCESS,
    "failed": resource_pb2.FAIL,
    # The SDK knows no third answer.
    "skipped": resource_pb2.FAIL,
}
SEVERITIES = {engine_pb2.INFO: "", engine_pb2.WARNING: "warning: ", engine_pb2.ERROR: "error: "}
# The other methods of the service: what they are for, and the part of the request that says which.
REFUSED: Mapping[str, tuple[str, str]] = {
    "Invoke": ("functions of providers", "tok"),
    "StreamInvoke": ("functions of providers", "tok"),
    "Call": ("methods of resources", "tok"),
    "ReadResource": ("resources that are only read", "name"),
    "ExistsResource": ("the search for resources", "type"),
    "RegisterPackage": ("parameterized packages", "name"),
    "RegisterStackTransform": ("transforms", "token"),
    "RegisterStackInvokeTransform": ("transforms", "token"),
    "RegisterResourceHook": ("resource hooks", "name"),
    "RegisterErrorHook": ("resource hooks", "name"),
}


class Monitor:
    """The methods of the service, under the names that the protocol gives them."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def GetDeploymentInfo(self, _request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802 - the protocol's
        """Say what this engine can do."""
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(  # noqa: N802 - the protocol's
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Bring a resource about and answer when that is done."""
        with self._refusals():
            outcome = self._deployment.register(read_goal(request))
        done, resource = outcome.result == "done", outcome.resource
        # A component's outputs are its program's own; what an earlier run recorded may not exist yet in this one.
        outputs = resource.outputs if resource.custom and done else {}
        return resource_pb2.RegisterResourceResponse(
            urn=resource.urn,
            id=resource.id if done else "",
            object=to_struct(outputs, for_program=True),
            result=RESULTS[outcome.result],
            unknown=outcome.unknown,
        )

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Take the outputs of a component or of the stack."""
        with self._refusals():
            self._deployment.register_outputs(request.urn, from_struct(request.outputs))
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802 - the protocol's
        """Answer at once: deletions need nothing of the program."""
        return empty_pb2.Empty()

    def __getattr__(self, method: str) -> Callable[[Any], NoReturn]:
        if method not in REFUSED:
            raise AttributeError(method)
        feature, part = REFUSED[method]

        def refuse(request: Any) -> NoReturn:  # noqa: ANN401 - any request of the service
            with self._refusals():
                raise RefusedError(f"{feature} ('{getattr(request, part)}')")
            raise AssertionError  # for the type checker: the block above always raises

        return refuse

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except EngineError as error:
            # The SDK makes this a failure of the program; the run reports it as what it is.
            self._deployment.refuse(error)
            raise


class EngineService:
    """The part of Pulumi's Engine service that the SDK uses: its log."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802 - the protocol's
        """Pass on what the program logs, the SDK's own debugging aside."""
        if request.severity in SEVERITIES:
            text = f"{SEVERITIES[request.severity]}{request.message}"
            self._deployment.operations.report.message(text, request.urn)
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, _request: object) -> NoReturn:  # noqa: N802 - the protocol's
        """Refuse: there is no CLI whose version could be compared."""
        refusal = RefusedError("require_pulumi_version")
        self._deployment.refuse(refusal)
        raise refusal

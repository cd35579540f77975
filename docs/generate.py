"""Writes docs/reference/ from the models, the commands and the tables of the code: `make docs`.

Nothing here says what a key or an option means: their own modules do, and a field that says nothing is an error.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from catalogue.placement import ClusterPlacement, TenantPlacement
from catalogue.plan import DatabasePlan, StoragePlan
from catalogue.price import PriceBook
from catalogue.tenant import Tenant
from components.meanings import ENVIRONMENT, SETTINGS
from components.outputs import TenantOutputs
from components.settings import SECRETS, SOURCES
from docs.commands import commands_page, variables
from docs.markdown import code, table
from docs.models import model_sections
from dynamic_providers.configuration import KEYS, Configuration
from sandbox.broken_grants import HOLES
from sandbox.faults import FOREVER, SWITCHES

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "reference"
STAGES = {
    "instead": "does nothing and answers with the fault",
    "after": "does the work, then spoils the answer",
    "slow": "waits before the work",
    "rule": "changes what the provider does",
}


def _page(title: str, origin: str, *parts: str) -> str:
    note = f"<!-- Written by `make docs` from {origin}: edit that. -->"
    return "\n\n".join((f"# {title}", note, *parts)) + "\n"


def tenants_page() -> str:
    """Every key of tenants.yaml, under the example at the head of that file."""
    return _page(
        "tenants.yaml",
        "catalogue/tenant.py",
        "Who is served, and on which plan. A folder `tenants/*.yaml` may stand in place of the file. Unknown keys are\n"
        "errors, and so is an entry that vanishes. All that an entry may say:",
        f"```yaml\n{_example()}\n```",
        *model_sections({"`tenants:` (a row for each tenant)": Tenant}, hidden={"id"}),
    )


def _example() -> str:
    lines = iter((PROJECT / "tenants.yaml").read_text(encoding="utf-8").splitlines())
    commented = next(line for line in lines if line == "# tenants:")
    block = [commented]
    for line in lines:
        if line == "#":
            break
        block.append(line)
    return "\n".join(line.removeprefix("# ") for line in block)


def plans_page() -> str:
    """Every key of plans.yaml."""
    return _page(
        "plans.yaml",
        "catalogue/plan.py",
        "What a plan gives a tenant and what it is sold for: [plans.yaml](../../plans.yaml) is the commented example.\n"
        "A row's key is the plan's name, `<engine>-<tier>`.",
        *model_sections(
            {"`database:` (a row for each plan)": DatabasePlan, "`storage:` (a row for each plan)": StoragePlan},
            hidden={"name"},
        ),
    )


def prices_page() -> str:
    """Every key of prices.yaml."""
    return _page(
        "prices.yaml",
        "catalogue/price.py",
        "What providers charge: [prices.yaml](../../prices.yaml) is the commented example. A price that no source\n"
        "states is not written, and what it would be a part of is n/a.",
        *model_sections({"The file": PriceBook}),
    )


def placements_page() -> str:
    """Every key of placements.yaml."""
    return _page(
        "placements.yaml",
        "catalogue/placement.py",
        "Where everything is, for good: written by `tenantry place`, committed like any lock file, never edited by\n"
        "hand. A *pin* is what cannot change where the object is: `validate` refuses an edit against it.",
        *model_sections(
            {
                "`clusters:` (a row for each cluster)": ClusterPlacement,
                "`tenants:` (a row for each tenant)": TenantPlacement,
            }
        ),
    )


def outputs_page() -> str:
    """The contract of the stack outputs."""
    return _page(
        "Stack outputs",
        "components/outputs.py",
        "`pulumi stack output tenants --json` and `tenantry outputs --json` are a map from a tenant's id to these\n"
        "values. Only the values named as secrets are secret: `[secret]` unless they are asked for, with\n"
        "`--show-secrets`. Whoever reads them by program reads them by this contract: a key that is missing or\n"
        "unknown is an error.",
        *model_sections({"A tenant": TenantOutputs}),
    )


def configuration_page() -> str:
    """Every setting and every environment variable."""
    others = variables() | {name: (meaning.text, meaning.default) for name, meaning in ENVIRONMENT.items()}
    return _page(
        "Configuration",
        "components/settings.py, components/meanings.py and dynamic_providers/configuration.py",
        "Each value comes from the environment variable or, failing that, from stack configuration (`pulumi config\n"
        "set KEY VALUE`, secrets with `--secret`). Values of the environment never enter the state.",
        table(("stack configuration", "environment", "what it is", "default"), _setting_rows()),
        "A region belongs to a plan (`regions:` in `plans.yaml`, the first is the default), so there is no setting\n"
        "for it.",
        "## The environment alone",
        table(
            ("environment", "what it is", "default"),
            ((code(name), text, default) for name, (text, default) in sorted(others.items())),
        ),
    )


def settings() -> Mapping[str, str]:
    """Every key of stack configuration that the code reads, with its environment variable or nothing."""
    own = {key: "" for key in SETTINGS if key.startswith("tenantry:")}
    return own | dict(KEYS.values()) | dict(SOURCES)


def _setting_rows() -> Iterator[tuple[str, ...]]:
    defaults = {KEYS[field.name][0]: field.default for field in fields(Configuration)}
    variable_of = settings()
    # In the order of the meanings, which is a reader's; a setting without one is an error here.
    for key in sorted(variable_of, key=list(SETTINGS).index):
        variable, default = variable_of[key], defaults.get(key)
        name = code(key) + (" (secret)" if key in SECRETS else "")
        figure = f"{default:g}" if isinstance(default, float) else code(str(default)) if default else ""
        yield name, code(variable) if variable else "-", SETTINGS[key].text, figure or SETTINGS[key].default


def faults_page() -> str:
    """The incidents that the sandbox replays."""
    return _page(
        "Faults of the sandbox",
        "sandbox/faults.py",
        "`tenantry sandbox faults NAME` makes the simulated provider misbehave in a way that was seen or is\n"
        "documented, for the next request that matches; `--times`, `--method` and `--path` say for which, and\n"
        "`--clear` ends it.",
        table(
            ("fault", "incident", "the simulator", "requests", "times"),
            (
                (
                    code(switch.name),
                    switch.incident,
                    STAGES[switch.stage] + (f" ({switch.status})" if switch.status else ""),
                    "any" if (switch.method, switch.path) == ("*", ".*") else code(f"{switch.method} {switch.path}"),
                    "until cleared" if switch.times == FOREVER else str(switch.times),
                )
                for switch in SWITCHES.values()
            ),
        )
        + "\n\nBroken grants are made on the tenants' real servers and in the store, at once and until `--clear`;\n"
        "`--tenant` says whose. [`tenantry verify isolation`](commands.md) finds each of them.\n\n"
        + table(("broken grant", "what is wrong"), ((code(hole.name), hole.incident) for hole in HOLES.values())),
    )


def _commands() -> str:
    return _page("Commands", "cli/", *commands_page())


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": _commands,
    "tenants.md": tenants_page,
    "plans.md": plans_page,
    "prices.md": prices_page,
    "placements.md": placements_page,
    "configuration.md": configuration_page,
    "outputs.md": outputs_page,
    "faults.md": faults_page,
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

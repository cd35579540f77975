"""Neon projects and nothing in them, dealt over so many instances of the dynamic provider: what `neon.py` measures."""

import os

import pulumi

from dynamic_providers.neon.project import Project, ProjectArgs

projects, lanes = int(os.environ["BENCH_PROJECTS"]), int(os.environ["BENCH_LANES"])
# Without inputs: settings come from the environment.
instances = [pulumi.ProviderResource("pulumi-python", f"lane-{number}", {}) for number in range(lanes)]
for number in range(projects):
    name = f"t{number}-project-1"
    Project(
        name,
        ProjectArgs(
            name=f"sandbox-t{number}",
            region="aws-us-east-1",
            pg_version=15,
            min_cu=0.25,
            max_cu=0.25,
            mark=f"tenantry:sandbox:{name}",
        ),
        pulumi.ResourceOptions(provider=instances[number % lanes]),
    )

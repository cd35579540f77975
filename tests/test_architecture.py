"""The arrows between the folders, the sizes of functions and modules, and the links of the documents hold."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
FOLDERS = ("catalogue", "components", "dynamic_providers", "engines", "billing", "lifecycle", "sandbox", "cli")
LONGEST_FUNCTION, LONGEST_MODULE = 60, 400
# What each folder may import of the others and of what talks to the outside.
FORBIDDEN = {
    "catalogue": {
        "pulumi",
        "httpx",
        "psycopg",
        "boto3",
        "components",
        "dynamic_providers",
        "engines",
        "cli",
        "sandbox",
    },
    "billing": {"pulumi", "httpx", "psycopg", "boto3", "components", "dynamic_providers", "engines", "cli", "sandbox"},
    "components": {"httpx", "psycopg", "boto3", "engines", "cli", "sandbox", "lifecycle"},
    "dynamic_providers": {"catalogue", "components", "engines", "cli", "sandbox", "lifecycle", "billing"},
    "engines": {"catalogue", "components", "dynamic_providers", "cli", "sandbox", "lifecycle", "billing"},
    "lifecycle": {"engines", "cli", "sandbox"},
    "sandbox": {"catalogue", "components", "dynamic_providers", "engines", "cli", "lifecycle", "billing", "pulumi"},
    "cli": {"httpx", "psycopg", "boto3", "pulumi"},
}
SANDBOX_USERS = {"cli/sandbox.py", "cli/main.py"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((PROJECT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    origins = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | origins}


@pytest.mark.parametrize("path", list(modules(*FOLDERS)), ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_imports_only_along_the_arrows(path: Path) -> None:
    name = str(path.relative_to(PROJECT))
    forbidden = FORBIDDEN[name.partition("/")[0]] - ({"sandbox"} if name in SANDBOX_USERS else set())
    assert not imports(path) & forbidden


@pytest.mark.parametrize(
    "path", list(modules(*FOLDERS, "tests", "examples", "docs")), ids=lambda path: str(path.relative_to(PROJECT))
)
def test_modules_and_functions_keep_their_sizes_and_say_what_they_hold(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module starts with a sentence on what it holds"
    assert source.count("\n") <= LONGEST_MODULE
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION]
    assert not long


def test_every_module_is_imported_without_an_engine() -> None:
    """Nothing happens on import: no configuration, no client, no stack (facts 3.4)."""
    names = [
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules("catalogue", "components", "dynamic_providers", "engines", "billing", "lifecycle", "cli")
    ]
    for name in names:
        importlib.import_module(name)


def test_the_program_is_a_table_of_contents() -> None:
    lines = (PROJECT / "__main__.py").read_text().splitlines()
    assert len(lines) <= 15
    assert not any(isinstance(node, ast.If | ast.For) for node in ast.walk(ast.parse("\n".join(lines))))


@pytest.mark.parametrize(
    "path", sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]), ids=lambda p: p.name
)
def test_links_in_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_nothing_committed_names_a_machine_or_an_address_of_a_registry() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    patterns = re.compile("|".join(["py" + "pi.org", "files.python" + "hosted", "/ro" + "ot/", "/wo" + "rk/"]))
    for name in filter(None, tracked.stdout.split("\0")):
        path = PROJECT / name
        if path.is_file() and path.stat().st_size < 10**6:
            assert not patterns.search(path.read_text(errors="ignore")), name


def test_the_command_starts_without_loading_a_native_plugin() -> None:
    probe = "import sys, cli.main; print(any(name.startswith('pulumi_') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""The `console` blocks of the documents: read, and run in a fresh copy of the checkout as a reader would type them.

A line after `$ ` is a command, which must end with 0, or with the code of the line `# exit 1` (and a reason, if need
be) that follows it. Other lines are what it prints, in this order, with … for what differs, however many blanks are
between the words. A block that begins with `# needs SOMETHING` is run only where that is here; all others always are.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.pulumi_cli import PulumiCli

PROJECT = Path(__file__).resolve().parent.parent.parent
VENV = PROJECT / ".venv"
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *(path for path in sorted((PROJECT / "docs").rglob("*.md")) if path.parent.name not in {"adr", "reference"}),
]
FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS = re.compile(r"# needs (.+)")
EXIT = re.compile(r"# exit (\d+)\b.*")
SECONDS = 900
COMMITTER = ["-c", "user.name=reader", "-c", "user.email=reader@tenantry.example"]


@dataclass(frozen=True)
class Step:
    """A command as it is typed, the exit code it must have, and lines it must print, in order."""

    line: int
    command: str
    code: int
    output: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A block of a document; `needs` is what it says must be there, nothing where it runs anywhere."""

    document: Path
    line: int
    needs: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.document.relative_to(PROJECT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether what it needs is here."""
        return not self.needs or (self.needs == "the Pulumi CLI" and PulumiCli.available())


def blocks(document: Path) -> Iterator[Block]:
    """The console blocks of a document."""
    text = document.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        first = text.count("\n", 0, found.start(1)) + 1
        lines = found[1].splitlines()
        needs = NEEDS.fullmatch(lines[0])
        start = 1 if needs else 0
        yield Block(document, first, needs[1] if needs else "", tuple(_steps(lines[start:], first + start)))


def _steps(lines: list[str], first: int) -> Iterator[Step]:
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    if lines and (not starts or starts[0]):
        raise ValueError(f"line {first}: a console block begins with a command: `$ …`")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        stop = start + 1
        while lines[stop - 1].endswith("\\"):
            stop += 1
        code = EXIT.fullmatch(lines[stop]) if stop < end else None
        output = lines[stop + 1 : end] if code else lines[stop:end]
        command = "\n".join([lines[start][2:], *lines[start + 1 : stop]])
        yield Step(first + start, command, int(code[1]) if code else 0, tuple(filter(None, output)))


@dataclass
class Reader:
    """Somebody with a fresh copy of the checkout, who types what a document says into one shell."""

    folder: Path
    environ: Mapping[str, str]

    @classmethod
    def arrive(cls, folder: Path, tenants: Iterable[str] = ()) -> "Reader":
        """Copy the checkout; of the example fleet only `tenants` are in the copy, which is quicker."""
        checkout = folder / "tenantry"
        for name in _files():
            target = checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target, follow_symlinks=False)
        (checkout / ".venv").symlink_to(VENV)
        (folder / "home").mkdir()
        example = checkout / "examples" / "fleet" / "tenants.yaml"
        example.write_text(_only(example.read_text(encoding="utf-8"), set(tenants)), encoding="utf-8")
        for words in (["init", "--quiet"], ["add", "--all"], [*COMMITTER, "commit", "--quiet", "--message=clone"]):
            subprocess.run(["git", *words], cwd=checkout, check=True)
        environ = {
            "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            # The copy comes before the checkout that the virtual environment was made for.
            "PYTHONPATH": str(checkout),
            "TENANTRY_SANDBOX_PORT": "0",
            "PULUMI_SKIP_CONFIRMATIONS": "true",
            "TENANTRY_RATE_DIR": os.environ["TENANTRY_RATE_DIR"],
        }
        return cls(checkout, environ)

    def type(self, found: Iterable[Block]) -> None:
        """Type all blocks that run here, in one shell; the first step that ends otherwise than written is the end."""
        typed = [(block, step) for block in found if block.runs for step in block.steps]
        answers = self.folder.parent / "answers"
        shutil.rmtree(answers, ignore_errors=True)
        answers.mkdir()
        script = "".join(_typed(block, step, answers / str(number)) for number, (block, step) in enumerate(typed))
        subprocess.run(
            # It ends the shell's children too.
            ["timeout", "--kill-after=10", str(SECONDS), "bash", "-c", script],
            cwd=self.folder,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        for number, (block, step) in enumerate(typed):
            answer = answers / str(number)
            place = f"{block.document.relative_to(PROJECT)}:{step.line}: $ {step.command}"
            assert answer.with_suffix(".code").exists(), f"{place}\nhad not ended after {SECONDS} s"
            printed = answer.with_suffix(".out").read_text(encoding="utf-8")
            code = int(answer.with_suffix(".code").read_text())
            assert code == step.code, f"{place}\nended with {code} instead of {step.code}:\n{printed}"
            assert missing(step.output, printed) is None, (
                f"{place}\nnot printed: {missing(step.output, printed)}\n{printed}"
            )


def _files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()]


def _only(catalogue: str, tenants: set[str]) -> str:
    """The catalogue's text with the entries of `tenants` alone."""
    head, *entries = re.split(r"^(?=  [a-z0-9-]+:$)", catalogue, flags=re.MULTILINE)
    return head + "".join(entry for entry in entries if entry.split(":")[0].strip() in tenants)


def _typed(block: Block, step: Step, answer: Path) -> str:
    engine = "unset TENANTRY_ENGINE" if block.needs else "export TENANTRY_ENGINE=embedded"
    return (
        f"{engine}\n{{ {step.command}\n}} >'{answer}.out' 2>&1\n"
        f"code=$?; echo $code >'{answer}.code'; [ $code -eq {step.code} ] || exit\n"
    )


def missing(expected: Iterable[str], printed: str) -> str | None:
    """The first expected line that is not printed after those before it; … stands for anything within a line."""
    rest = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in expected:
        pattern = re.compile(".*".join(re.escape(" ".join(part.split())) for part in line.split("…")))
        if not any(pattern.search(candidate) for candidate in rest):
            return line
    return None

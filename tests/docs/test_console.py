"""The console blocks of the documents are well formed, and their reader finds what is wrong with one."""

import re
import subprocess
from pathlib import Path

import pytest

from docs.commands import leaves
from tests.docs.console import DOCUMENTS, PROJECT, Block, blocks, missing

ALL = [block for document in DOCUMENTS for block in blocks(document)]
TARGETS = set(re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def written(folder: Path, text: str) -> list[Block]:
    """The blocks of a document with this text."""
    document = folder / "document.md"
    document.write_text(text, encoding="utf-8")
    return list(blocks(document))


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_is_what_a_shell_understands(block: Block) -> None:
    """Also of those that cannot be run here, for want of an account."""
    script = "\n".join(step.command for step in block.steps)
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_target_of_make_that_a_document_names_exists(block: Block) -> None:
    for step in block.steps:
        assert set(re.findall(r"^make ((?:\w+ ?)+)", step.command)) <= TARGETS


def test_a_block_has_commands_with_their_exit_codes_and_outputs(tmp_path: Path) -> None:
    text = "text\n\n```console\n$ one \\\n  more\n# exit 4: a reason\nsaid …\n$ two\n```\n"
    (block,) = written(tmp_path, text)
    assert block.needs == ""
    assert [(step.line, step.command, step.code, step.output) for step in block.steps] == [
        (4, "one \\\n  more", 4, ("said …",)),
        (8, "two", 0, ()),
    ]


def test_a_block_that_needs_an_account_is_not_run(tmp_path: Path) -> None:
    (block,) = written(tmp_path, "```console\n# needs a Timeweb account\n$ rm -rf /\n```\n")
    assert not block.runs


def test_a_block_without_a_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2: a console block begins with a command"):
        written(tmp_path, "```console\nno command\n```\n")


@pytest.mark.parametrize(
    ("expected", "first_missing"),
    [(("b", "d"), None), (("a … c",), None), (("d", "b"), "b"), (("x",), "x"), (("a.c",), "a.c")],
)
def test_expected_lines_are_printed_in_order(expected: tuple[str, ...], first_missing: str | None) -> None:
    assert missing(expected, "a b c\nb\nd\n") == first_missing


def test_every_command_is_typed_by_a_reader_with_success() -> None:
    """In a block that runs anywhere: without an account, without the Pulumi CLI."""
    typed = [step.command for block in ALL if not block.needs for step in block.steps if step.code == 0]
    words = [" ".join(path) for path, _ in leaves()]
    assert [
        command for command in words if not any(re.search(rf"\btenantry {command}\b", line) for line in typed)
    ] == []

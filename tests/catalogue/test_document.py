"""Files that are no catalogue are refused with a sentence, whatever they hold, and quickly."""

import os
import time

import pytest

from catalogue.document import MAX_BYTES, read_document, resolve
from catalogue.load import load_fleet
from tests.catalogue.fleets import ACME, FleetFolder

HOSTILE = {
    "an empty file": (b"", "tenants.yaml:1:1: the file is empty"),
    "only a comment": (b"# nobody\n", "tenants.yaml:1:1: the file is empty"),
    "a lone scalar": (b"hello\n", "tenants.yaml:1:1: the file holds no mapping of keys to values"),
    "a list": (b"- acme\n", "tenants.yaml:1:1: the file holds no mapping of keys to values"),
    "latin-1": (b"tenants:\n  acme: {name: \xe9}\n", "tenants.yaml:2:16: the file is not UTF-8 text: save it as UTF-8"),
    "utf-16": (ACME.encode("utf-16"), "tenants.yaml:1:1: the file is not UTF-8 text: save it as UTF-8"),
    "a byte order mark": (
        b"\xef\xbb\xbftenants: {}\n",
        "tenants.yaml:1:1: the file starts with a byte order mark: save it as UTF-8 without BOM",
    ),
    "a NUL": (b"tenants:\n  ac\0me: {}\n", "tenants.yaml:2:5: control character U+0000: remove it"),
    "a bell": (b"tenants: \x07{}\n", "tenants.yaml:1:10: control character U+0007: remove it"),
    "an escaped NUL": (
        b'tenants:\n  acme: {name: "a\\0b"}\n',
        "tenants.yaml:2:10: tenants.acme.name: control character U+0000: remove it",
    ),
    "a Python object": (
        b"tenants:\n  acme: !!python/object/apply:os.system ['true']\n",
        "tenants.yaml:2:3: tenants.acme: tag '!!python/object/apply:os.system': tags are not read here, remove it",
    ),
    "a harmless tag": (
        b"tenants:\n  acme: {name: !!str 1}\n",
        "tenants.yaml:2:10: tenants.acme.name: tag '!!str': tags are not read here, remove it",
    ),
    "a tagged key": (
        b"tenants:\n  !!str acme: {}\n",
        "tenants.yaml:2:3: tenants: key 'acme' has an anchor or a tag: remove it",
    ),
    "an anchor": (
        b"tenants:\n  acme: &a {}\n",
        "tenants.yaml:2:3: tenants.acme: anchor '&a': anchors are not read here, remove it",
    ),
    "an alias": (
        b"tenants:\n  acme: *a\n",
        "tenants.yaml:2:3: tenants.acme: alias '*a': aliases are not read here, write the value out",
    ),
    "a merge key": (
        b"tenants:\n  acme:\n    <<: {name: A}\n",
        "tenants.yaml:3:5: tenants.acme: merge keys ('<<') are not read here: write the keys out",
    ),
    "two documents": (
        b"tenants: {}\n---\ntenants: {}\n",
        "tenants.yaml:2:1: a second document starts here: one file holds one document",
    ),
    "a list as a key": (b"tenants:\n  ? [a]\n  : b\n", "tenants.yaml:2:5: tenants: a key must be plain text"),
    "an open bracket": (
        b"tenants: {acme: [}\n",
        "tenants.yaml:1:18: this is not valid YAML: while parsing a flow node, did not find expected node content",
    ),
    "a tab": (
        b"tenants:\n\tacme: {}\n",
        (
            "tenants.yaml:2:1: this is not valid YAML: while scanning for the next token, "
            "found character that cannot start any token"
        ),
    ),
    "a character no YAML may have": (
        "tenants: {acme: {name: \ud7ff\ufffe}}\n".encode(),
        "tenants.yaml:1:25: control character U+FFFE: remove it",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_one_sentence_at_its_place(folder: FleetFolder, case: str) -> None:
    """F9."""
    content, sentence = HOSTILE[case]
    folder.write("tenants.yaml", content)
    assert folder.sentences() == [sentence]


@pytest.mark.parametrize(
    "content", [b"tenants: " + b"[" * 100_000, b"tenants: " + b"{a: " * 100_000, b"tenants:\n" + b"- " * 100_000]
)
def test_nesting_without_end_is_refused_at_once(folder: FleetFolder, content: bytes) -> None:
    folder.write("tenants.yaml", content)
    started = time.process_time()
    (problem,) = folder.problems()
    assert "nested deeper than 20 levels" in problem.message
    assert time.process_time() - started < 1


def test_a_bomb_of_aliases_is_never_expanded(folder: FleetFolder) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    folder.write("tenants.yaml", "\n".join([*lines, "tenants: {}"]))
    started = time.process_time()
    assert all("are not read here" in sentence or "unknown key" in sentence for sentence in folder.sentences())
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("name", "limit"), [("tenants.yaml", 20), ("plans.yaml", 20), ("placements.yaml", 40)])
def test_a_file_of_50_mb_is_refused_by_its_size_before_it_is_parsed(folder: FleetFolder, name: str, limit: int) -> None:
    with (folder.path / name).open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    started = time.process_time()
    sentence = f"{name}:1:1: the file is larger than {limit} MB, the limit for one file"
    assert sentence in folder.sentences()
    assert time.process_time() - started < 1


def test_a_file_at_the_limit_is_read(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", ACME.encode() + b"#" * (MAX_BYTES - len(ACME)))
    assert folder.problems() == ()


def test_a_mapping_with_thousands_of_keys_is_refused_where_no_rows_belong(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", ACME + "".join(f"    key{n}: 1\n" for n in range(5000)))
    assert folder.sentences() == ["tenants.yaml:1003:5: tenants.acme.key996: more than 1000 entries"]


def test_a_list_with_thousands_of_items_is_refused(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants: [" + "1, " * 5000 + "]")
    (problem,) = folder.problems()
    assert problem.message == "more than 1000 entries"


def test_a_file_with_endless_problems_is_cut_off(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants:\n" + "".join(f"  t{n}: 1\n" for n in range(20_000)))
    problems = folder.problems()
    assert len(problems) == 10_001
    assert any(problem.message.startswith("reading stops here") for problem in problems)


def test_a_missing_file_is_named_with_its_path(folder: FleetFolder) -> None:
    for name in ("tenants.yaml", "plans.yaml", "prices.yaml"):
        (folder.path / name).unlink()
    assert folder.sentences() == [
        f"{name}:1:1: there is no file {folder.path / name}" for name in ("plans.yaml", "prices.yaml", "tenants.yaml")
    ]


def test_a_pipe_in_place_of_a_file_is_refused_without_waiting_for_it(folder: FleetFolder) -> None:
    (folder.path / "prices.yaml").unlink()
    os.mkfifo(folder.path / "prices.yaml")
    assert folder.sentences() == [f"prices.yaml:1:1: this is no regular file: {folder.path / 'prices.yaml'}"]


def test_a_dangling_link_is_no_absent_lock_file(folder: FleetFolder) -> None:
    (folder.path / "placements.yaml").symlink_to("nowhere.yaml")
    assert folder.sentences() == [f"placements.yaml:1:1: there is no file {folder.path / 'placements.yaml'}"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("on", "on"),
        ("012", 12),
        ("-3", -3),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("2026-11-01", "2026-11-01"),
        ("10:30", "10:30"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_unquoted_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    resolved = resolve(text)
    assert (resolved, type(resolved)) == (value, type(value))


def test_infinity_and_not_a_number_are_numbers() -> None:
    assert resolve("-.inf") == float("-inf")
    assert str(resolve(".nan")) == "nan"


def test_keys_are_text_even_where_they_look_like_numbers(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants:\n  123: {}\n  null: {}\n  2026-11-01: {}\n")
    assert list(load_fleet(folder.path, require_placed=False).tenants) == ["123", "null", "2026-11-01"]


def test_every_key_and_item_knows_its_line_and_column(folder: FleetFolder) -> None:
    folder.write("any.yaml", "a:\n  b: {c: 1,\n      d: [x, y]}\n")
    document = read_document(folder.path / "any.yaml", "any.yaml")
    places = {path: document.problem(path, "") for path in (("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "d", 1))}
    assert [(problem.line, problem.column) for problem in places.values()] == [(1, 1), (2, 3), (2, 7), (3, 14)]
    assert places["a", "b", "d", 1].path == "a.b.d[1]"


def test_a_path_that_is_not_there_is_reported_at_what_surrounds_it(folder: FleetFolder) -> None:
    folder.write("any.yaml", "a:\n  b: 1\n")
    problem = read_document(folder.path / "any.yaml", "any.yaml").problem(("a", "c", "d"), "is wrong")
    assert str(problem) == "any.yaml:1:1: a.c.d: is wrong"


def test_a_file_of_nothing_but_duplicates_is_cut_off(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants: {" + "a, " * 1_000_000 + "}")
    problems = folder.problems()
    assert len(problems) == 1001
    assert any(problem.message.startswith("reading stops here") for problem in problems)

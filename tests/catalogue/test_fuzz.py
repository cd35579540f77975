"""Whatever is typed into the files, the answer is a fleet or sentences, never a traceback."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.catalogue.fleets import FleetFolder

FILES = ("tenants.yaml", "plans.yaml", "prices.yaml", "placements.yaml")
SNIPPETS = (
    *("null", "true", "-1", "0", "1.5", "9" * 400, "''", "~", "2026-02-31", "shared-free-x", "timeweb-s3"),
    *("[]", "{}", "[[]]", "{a: b}", "<<: {}", "- ", ": ", "? ", "&a ", "*a", "!!int ", "|", "%", "@", "`", "#"),
    *("\n", "\n  ", "---\n", "\t"),
)
SLIPS = st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=6))


@pytest.fixture
def placed(folder: FleetFolder) -> FleetFolder:
    folder.place()
    return folder


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), at=st.floats(0, 1), cut=st.integers(0, 8), slip=SLIPS)
@example(name="tenants.yaml", at=0.0, cut=10**6, slip="\ud800")
def test_no_slip_of_the_pen_ends_in_a_traceback(placed: FleetFolder, name: str, at: float, cut: int, slip: str) -> None:
    """F9: the folder is put right again after each slip."""
    path = placed.path / name
    whole = path.read_text(encoding="utf-8")
    position = int(at * len(whole))
    text = whole[:position] + slip + whole[position + cut :]
    placed.write(name, text.encode("utf-8", "surrogatepass"))
    try:
        for sentence in placed.sentences(require_placed=True):
            assert sentence.isprintable()
            assert len(sentence) < 1000
    finally:
        placed.write(name, whole)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), content=st.binary(max_size=40))
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    """F9."""
    folder = FleetFolder(Path(tmp_path_factory.mktemp("fleet")))
    folder.write(name, content)
    assert all(sentence.isprintable() for sentence in folder.sentences())

"""Measure, print each figure as it comes, and all of them as JSON at the end."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from examples.bench import catalogues, cells, engines, lanes, neon, pace
from examples.bench.figures import Figure, Rows


def parts(sizes: tuple[int, ...]) -> Mapping[str, Callable[[Path], Rows]]:
    """The parts of the benchmark by name, the quick ones first."""
    return {
        "catalogue": catalogues.rows,
        "engines": engines.rows,
        "lanes": lanes.rows,
        "neon": neon.rows,
        "pace": pace.rows,
        "cells": partial(cells.rows, sizes=sizes),
    }


def main() -> int:
    """Run the parts asked for; one that fails is told and does not end the others."""
    parser = argparse.ArgumentParser(prog="python -m examples.bench", description=__doc__)
    parser.add_argument("--only", default=os.environ.get("ONLY", ""), help="names of parts, with commas between them")
    sizes = os.environ.get("SIZES") or ",".join(map(str, cells.SIZES))
    parser.add_argument("--sizes", default=sizes, help="fleets in cells, with commas between them")
    given = parser.parse_args()
    known = parts(tuple(int(size) for size in given.sizes.split(",")))
    chosen = given.only.split(",") if given.only else list(known)
    if unknown := [name for name in chosen if name not in known]:
        parser.error(f"there is no part '{unknown[0]}': take of {', '.join(known)}")
    figures: list[Figure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tenantry-bench-") as folder:
        for name in chosen:
            started = time.monotonic()
            try:
                for row in known[name](Path(folder)):
                    print(f"{name}: {row}", flush=True)
                    figures += [row] if isinstance(row, Figure) else []
            except Exception as error:  # noqa: BLE001 - whatever ends a part, the others are still to be measured
                failed.append(name)
                print(f"{name}: ended by {type(error).__name__}: {error}", flush=True)
            print(f"{name}: took {time.monotonic() - started:.0f} s", flush=True)
    print(json.dumps({"figures": [figure.as_json() for figure in figures], "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

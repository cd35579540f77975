"""The program runs as under the language host, and this process is afterwards what it was before."""

import asyncio
import os
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime.config import CONFIG
from pulumi.runtime.settings import SETTINGS, get_root_resource

from engines.embedded import EmbeddedEngine
from engines.engine import EngineError, Event
from tests.engines.laboratory import Laboratory, operations


def surroundings() -> dict[str, object]:
    """What a run must leave as it was."""
    return {
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "path": list(sys.path),
        "arguments": list(sys.argv),
        "main": sys.modules["__main__"],
        "modules": {name for name in sys.modules if name in {"toys", "helper"}},
        "settings": [getattr(SETTINGS, name) for name in ("project", "stack", "monitor", "engine", "dry_run")],
        "root": get_root_resource(),
        "config": dict(CONFIG.get()),
        "pickler": vars(pickle._Pickler)["_batch_setitems"],  # noqa: SLF001 - the SDK changes it
        "threads": {thread.name for thread in threading.enumerate()},
    }


def test_a_run_leaves_the_process_as_it_was(embedded: Laboratory) -> None:
    before = surroundings()
    embedded.configure(stack_config={"playground:a": "b"})
    embedded.program("""
        import os, sys
        import toys

        class Local(toys.ToyProvider):
            pass

        os.environ["LEFT_BEHIND"] = "yes"
        sys.argv.append("left")
        os.chdir("/")
        Toy("a", on(lane()), provider=Local())
    """)
    assert embedded.up().ok
    assert surroundings() == before
    embedded.program("raise SystemExit(3)")
    assert "exit(3)" in embedded.up().failures[0].message
    assert surroundings() == before


def test_the_program_runs_under_its_own_name_in_its_folder(lab: Laboratory) -> None:
    (lab.project / "helper.py").write_text("VALUE = 7\n")
    lab.program("""
        import os, sys
        import helper

        pulumi.export("found", {
            "name": __name__,
            "folder": os.getcwd() == os.path.dirname(os.path.abspath(__file__)),
            "helper": helper.VALUE,
            "arguments": len(sys.argv),
            "cloud": "TOY_CLOUD" in os.environ,
            "configuration": "PULUMI_CONFIG_PASSPHRASE" in os.environ,
        })
    """)
    assert lab.up().ok
    assert lab.engine.outputs()["found"] == {
        "name": "__main__",
        "folder": True,
        "helper": 7,
        "arguments": 1,
        "cloud": True,
        "configuration": True,
    }


def test_a_program_in_a_folder_of_its_own(embedded: Laboratory) -> None:
    program = embedded.project / "program"
    program.mkdir()
    (embedded.project / "toys.py").rename(program / "toys.py")
    text = (embedded.project / "Pulumi.yaml").read_text()
    (embedded.project / "Pulumi.yaml").write_text(text.replace('"config"', '"main": "program", "config"'))
    (program / "__main__.py").write_text("from toys import Toy, lane, on\nToy('a', on(lane()))\n")
    assert operations(embedded.up()) == {"a": "create"}


def test_an_asynchronous_program_is_awaited(lab: Laboratory) -> None:
    lab.program("""
        import asyncio

        async def main():
            await asyncio.sleep(0)
            a = Toy("a", on(lane()))
            return {"name": a.name}

        pulumi.run(main)
    """)
    assert operations(lab.up()) == {"a": "create"}
    assert lab.engine.outputs() == {"name": "a"}


def test_two_projects_in_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    first, second = Laboratory(tmp_path / "1", "embedded"), Laboratory(tmp_path / "2", "embedded")
    (first.project / "helper.py").write_text("NAME = 'first'\n")
    (second.project / "helper.py").write_text("NAME = 'second'\n")
    for lab in (first, second, first):
        lab.program("import helper\nToy(helper.NAME, on(lane()))")
        assert lab.up().ok
    assert set(first.objects()) == {"first"}
    assert set(second.objects()) == {"second"}


def test_runs_of_two_stacks_wait_for_each_other(embedded: Laboratory) -> None:
    """Folder, environment and `__main__` belong to the whole process."""
    embedded.program("Toy(pulumi.get_stack(), on(lane()))")
    (embedded.project / "Pulumi.dev-2.yaml").symlink_to("Pulumi.dev.yaml")
    other = EmbeddedEngine(embedded.project, "dev-2", embedded.state, embedded.environ)
    results = []
    threads = [
        threading.Thread(target=lambda engine=engine: results.append(engine.up()))
        for engine in (embedded.engine, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.ok for result in results] == [True, True]
    assert set(embedded.objects()) == {"dev", "dev-2"}


def test_an_engine_can_be_used_inside_a_running_event_loop(embedded: Laboratory) -> None:
    embedded.program('Toy("a", on(lane()))')

    async def main() -> bool:
        return embedded.up().ok

    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(main())
    finally:
        loop.close()


# What is told while it runs


def test_events_follow_each_resource(embedded: Laboratory) -> None:
    told: list[Event] = []
    embedded.program('here = on(lane())\na = Toy("a", here)\nToy("b", here, labels=a.url)')
    embedded.fault("b", "create", "no capacity")
    embedded.embedded.up(on_event=told.append)
    seen = [(event.kind, event.operation, event.name) for event in told if event.name in {"a", "b"}]
    assert seen == [
        ("started", "create", "a"),
        ("finished", "create", "a"),
        ("started", "create", "b"),
        ("failed", None, "b"),
    ]
    assert told[-1].message == "no capacity" or told[-2].message == "no capacity"


def test_a_slow_create_does_not_hold_up_the_others(embedded: Laboratory) -> None:
    embedded.program("""
        here = on(lane())
        slow = Toy("slow", here)
        for i in range(10):
            Toy(f"t{i}", here)
        Toy("after", here, labels=slow.url)
    """)
    wait = embedded.fault("slow", "create.wait", "")
    finished: list[str] = []

    def note(event: Event) -> None:
        if event.kind == "finished":
            finished.append(event.name)
            if {f"t{i}" for i in range(10)} <= set(finished):
                wait.unlink(missing_ok=True)

    assert embedded.embedded.up(on_event=note).ok
    assert finished[-2:] == ["slow", "after"]


def test_no_more_calls_run_at_once_than_allowed(embedded: Laboratory) -> None:
    embedded.program("here = on(lane())\nfor i in range(9):\n    Toy(f't{i}', here)")
    running: set[str] = set()
    most = 0

    def note(event: Event) -> None:
        nonlocal most
        (running.add if event.kind == "started" else running.discard)(event.name)
        most = max(most, len(running))
        time.sleep(0.005)

    engine = EmbeddedEngine(embedded.project, "dev", embedded.state, embedded.environ, parallel=3)
    assert engine.up(on_event=note).ok
    assert 1 < most <= 3


def test_the_time_of_a_run_grows_with_its_resources_and_no_faster(embedded: Laboratory) -> None:
    """Facts 2.5: no quadratic part of our own."""
    (embedded.project / "empty.py").write_text(
        "from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider\n"
        "class Nothing(ResourceProvider):\n"
        "    serialize_as_secret_always = False\n"
        "    def diff(self, i, o, n): return DiffResult(changes=o['n'] != n['n'])\n"
        "    def create(self, props): return CreateResult(str(props['n']), dict(props))\n"
        "class Thing(Resource):\n"
        "    def __init__(self, n, opts): super().__init__(Nothing(), f't{n}', {'n': n}, opts)\n"
    )
    program = "import empty\nhere = on(lane())\nfor i in range({n}):\n    empty.Thing(i, here)"

    def seconds(count: int) -> float:
        embedded.program(program.format(n=count))
        started = time.monotonic()
        assert embedded.up().ok
        return time.monotonic() - started

    small, large = seconds(50), seconds(200)
    assert large < 8 * small + 1


# What is refused


@pytest.mark.parametrize(
    ("program", "feature"),
    [
        ('Toy("a", on(lane(), import_="x"))', "import of existing resources"),
        ('Toy("a", on(lane(), custom_timeouts=pulumi.CustomTimeouts(create="5m")))', "custom_timeouts"),
        ('Toy("a", on(lane(), replace_on_changes=["size"]))', "replace_on_changes"),
        ('a = Toy("a", on(lane()))\nToy("b", on(lane("x"), replace_with=[a]))', "replace_with"),
        ('Toy("a", on(lane(), replacement_trigger=1))', "replacement_trigger"),
        ('Toy("a", on(lane(), transforms=[lambda args: None]))', "transforms"),
        ("pulumi.runtime.register_resource_transform(lambda args: None)", "transforms"),
        ('Toy("a", on(lane(), hooks=pulumi.ResourceHookBinding(after_create=[lambda args: None])))', "resource hooks"),
        (
            'pulumi.runtime.invoke("aws:index:getRegion", {}, pulumi.InvokeOptions(provider=lane()))',
            "functions of providers",
        ),
        ('pulumi.StackReference("organization/other/prod")', "resources that are only read"),
        ('pulumi.export("x", pulumi.FileAsset("Pulumi.yaml"))', "assets"),
        ('Toy("a", on(lane()), labels=pulumi.StringAsset("text"))', "assets"),
        ('Toy("a", on(lane(), ignore_changes=["*"]), size=1)', "the property path"),
        ('pulumi.ProviderResource("other", "p", {})', "the package 'other'"),
        ('pulumi.require_pulumi_version(">=3.0.0")', "require_pulumi_version"),
    ],
)
def test_what_is_not_implemented_is_refused_in_one_sentence(embedded: Laboratory, program: str, feature: str) -> None:
    if "ignore_changes" in program:
        embedded.applied('Toy("a", on(lane()), size=1)')
    embedded.program(program)
    with pytest.raises(EngineError) as refusal:
        embedded.up()
    text = str(refusal.value)
    assert text.startswith("the embedded engine does not implement ")
    assert feature in text
    assert text.endswith("run this program with the Pulumi CLI")
    assert "\n" not in text
    assert embedded.calls() == []


def test_mocks_set_before_a_run_still_answer_after_it(embedded: Laboratory) -> None:
    """Component tests and engine tests share a process."""

    class Recorder(pulumi.runtime.Mocks):
        def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, object], None]:
            return {}, None

        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, object]]:
            return f"{args.name}-id", args.inputs

    def work() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        pulumi.runtime.set_mocks(Recorder(), project="mocked", stack="test")
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop)))
        monitor = SETTINGS.monitor
        embedded.program('Toy("a", on(lane()))')
        assert embedded.up().ok
        assert SETTINGS.monitor is monitor
        assert pulumi.get_project() == "mocked"
        loop.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()

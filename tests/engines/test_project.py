"""Pulumi.yaml, the stack's file and the passphrase, read as the CLI reads them."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from engines.embedded.errors import RefusedError
from engines.embedded.passphrase import Crypter, new_salt, open_crypter, read_passphrase
from engines.embedded.project import Config, load_project
from engines.engine import EngineError
from tests.engines.laboratory import PASSPHRASE, SALT, Laboratory

PULUMI_YAML = """
    name: cfg
    runtime: {name: python, options: {virtualenv: .venv}}
    config:
      pulumi:disable-default-providers: ["*"]
      plain: 3
      typed: {type: integer, default: 5}
      given: {type: string, value: hello}
      cfg:flag: true
      other:list: [1, two, {b: 1.5, a: 2.0}]
      leading: "007"
"""
STACK_YAML = """
    config:
      cfg:int: 7
      cfg:float: 1.50
      cfg:whole: 2.0
      cfg:big: 12345678901234567890
      cfg:exponent: 1e3
      cfg:octal: 0o14
      cfg:bool: false
      cfg:list: [1, "2", true, null, 2.5]
      cfg:nothing:
      cfg:yes: yes
      cfg:text: "1.0"
      cfg:lines: |
        a
        b
      plain: 4
"""
# As `pulumi preview` with CLI 3.260.0 hands it to the program of these two files.
EXPECTED = {
    "cfg:big": "12345678901234567890",
    "cfg:bool": "false",
    "cfg:exponent": "1000",
    "cfg:flag": "true",
    "cfg:float": "1.5",
    "cfg:given": "hello",
    "cfg:int": "7",
    "cfg:leading": "007",
    "cfg:lines": "a\nb\n",
    "cfg:list": '[1,"2",true,null,2.5]',
    "cfg:nothing": "",
    "cfg:octal": "12",
    "cfg:plain": "4",
    "cfg:text": "1.0",
    "cfg:typed": "5",
    "cfg:whole": "2",
    "cfg:yes": "yes",
    "other:list": '[1,"two",{"a":2,"b":1.5}]',
    "pulumi:disable-default-providers": '["*"]',
}


def config(folder: Path, project: str = PULUMI_YAML, stack: str = STACK_YAML) -> Config:
    (folder / "Pulumi.yaml").write_text(dedent(project))
    (folder / "Pulumi.dev.yaml").write_text(dedent(stack))
    return load_project(folder, "dev").config(Crypter(PASSPHRASE, b"saltsalt").decrypt)


def test_configuration_reaches_the_program_as_the_cli_writes_it(tmp_path: Path) -> None:
    assert dict(config(tmp_path).values) == EXPECTED


def test_the_program_sees_the_same_configuration_on_both_engines(lab: Laboratory) -> None:
    (lab.project / "Pulumi.yaml").write_text(
        dedent(PULUMI_YAML).replace(
            ".venv", json.loads((lab.project / "Pulumi.yaml").read_text())["runtime"]["options"]["virtualenv"]
        )
    )
    (lab.project / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {SALT}" + dedent(STACK_YAML))
    lab.program("""
        from pulumi.runtime.config import CONFIG
        pulumi.export("config", {**CONFIG.get()})
        pulumi.export("names", [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization()])
    """)
    result = lab.up()
    assert result.ok, result.failures
    assert lab.engine.outputs() == {"config": EXPECTED, "names": ["cfg", "dev", "organization"]}


def test_secure_values_are_decrypted_at_any_depth(tmp_path: Path) -> None:
    encrypt = open_crypter(SALT, PASSPHRASE).encrypt
    stack = f"config:\n  token: {{secure: '{encrypt('hush')}'}}\n  nest: {{a: [1], b: {{secure: '{encrypt('deep')}'}}}}"
    found = config(tmp_path, stack=stack)
    assert found.values["cfg:token"] == "hush"
    assert found.values["cfg:nest"] == '{"a":[1],"b":"deep"}'
    assert found.secret_keys == {"cfg:token", "cfg:nest"}
    assert found.secret_texts == {"hush", "deep"}


@pytest.mark.parametrize(
    ("project", "stack", "sentence"),
    [
        ("name: cfg\nruntime: nodejs", "", "does not implement the runtime 'nodejs'"),
        ("runtime: python", "", "has no 'name'"),
        ("name: [", "", "is not valid YAML"),
        ("name: cfg\nruntime: python\nconfig: {x: {type: string}}", "", "missing configuration value 'cfg:x'"),
        ("name: cfg\nruntime: python\nconfig: {x: {secret: true}}", "", "'secret' in the declaration"),
        ("name: cfg\nruntime: python", "environment: [prod]", "the 'environment' of Pulumi.dev.yaml"),
        ("name: cfg\nruntime: python", "config: {x: 2026-01-02}", "'cfg:x' is a date: put it in quotes"),
        ("name: cfg\nruntime: python", "config: {x: {secure: 'v2:x'}}", "not encrypted with a passphrase"),
        ("name: cfg\nruntime: python", "config: {x: {secure: 'v1:AAAA:AAAA'}}", "cannot be decrypted"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, project: str, stack: str, sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence) as refusal:
        config(tmp_path, project, stack)
    assert "\n" not in str(refusal.value)


def test_a_folder_without_a_project_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no Pulumi\.yaml in"):
        load_project(tmp_path, "dev")


@pytest.mark.parametrize("text", ["", "# why\nconfig:\n  cfg:a: 1   # x\n", "config: {a: b}"])
def test_a_stack_without_a_salt_gets_one_and_keeps_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: cfg\nruntime: python\n")
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(text)
    project = load_project(tmp_path, "dev")
    salt = project.salt(PASSPHRASE)
    assert file.read_text() == (text if text.endswith("\n") or not text else text + "\n") + f"encryptionsalt: {salt}\n"
    assert open_crypter(salt, PASSPHRASE)
    assert project.salt(PASSPHRASE) == salt


def test_a_new_stack_gets_a_file_with_its_salt(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: cfg\nruntime: python\n")
    salt = load_project(tmp_path, "new").salt(PASSPHRASE)
    assert (tmp_path / "Pulumi.new.yaml").read_text() == f"encryptionsalt: {salt}\n"


def test_a_linked_stack_file_stays_a_link(tmp_path: Path) -> None:
    """Trap 36: a cell's file is a link to its base stack's: one salt for all."""
    (tmp_path / "Pulumi.yaml").write_text("name: cfg\nruntime: python\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.prod-2.yaml").symlink_to("Pulumi.prod.yaml")
    salt = load_project(tmp_path, "prod-2").salt(PASSPHRASE)
    assert (tmp_path / "Pulumi.prod-2.yaml").is_symlink()
    assert load_project(tmp_path, "prod").salt(PASSPHRASE) == salt


def test_another_secrets_provider_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: cfg\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("secretsprovider: awskms://alias/x\n")
    with pytest.raises(RefusedError, match=r"the secrets provider of Pulumi\.dev\.yaml"):
        load_project(tmp_path, "dev").salt(PASSPHRASE)


def test_the_cli_reads_what_is_encrypted_here(lab: Laboratory) -> None:
    """The laboratory encrypts with our own code, and both engines decrypt it."""
    lab.configure(secrets={"playground:token": 'häßlich ✓ "quoted"'})
    lab.program('pulumi.export("token", pulumi.Config().require("token"))')
    assert lab.up().ok
    assert lab.engine.outputs()["token"] == 'häßlich ✓ "quoted"'


def test_a_salt_checks_its_passphrase() -> None:
    salt = new_salt("a")
    assert open_crypter(salt, "a").decrypt(open_crypter(salt, "a").encrypt("text")) == "text"
    with pytest.raises(EngineError, match=r"^incorrect passphrase"):
        open_crypter(salt, "b")
    with pytest.raises(EngineError, match="malformed"):
        open_crypter("v1:only", "a")


def test_the_passphrase_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from a file\n")
    assert read_passphrase({"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    assert read_passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == "from a file"
    with pytest.raises(EngineError, match="must be set with"):
        read_passphrase({})
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        read_passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "none")})

"""What is encrypted, what is shown, and where a secret would come to light: the same on both engines."""

import json

import pytest

from engines.engine import EngineError
from tests.engines.laboratory import PASSPHRASE, Laboratory, is_secret, operations

SENTINEL = "sentinel-s3cr3t-value"
PROGRAM = """
    token = pulumi.Config().require_secret("token")
    a = Toy("a", on(lane(toy_token=token)), password=token, labels={"deep": {"er": token}, "open": "plain"})
    pulumi.export("tenants", {"a": {"url": a.url, "password": a.password, "key": a.key}})
"""


def test_the_state_holds_no_secret_in_plain_text(lab: Laboratory) -> None:
    """Trap 17: neither what comes from configuration nor what the provider made up."""
    lab.configure(secrets={"playground:token": SENTINEL})
    lab.applied(PROGRAM.replace("a.password", "a.key"))
    text = json.dumps(lab.deployment())
    assert SENTINEL not in text
    assert "key-of-a" not in text
    assert all(SENTINEL not in file.read_text(errors="ignore") for file in lab.state.rglob("*") if file.is_file())


def test_secretness_goes_from_an_input_to_the_output_of_the_same_key(lab: Laboratory) -> None:
    lab.configure(secrets={"playground:token": SENTINEL})
    lab.applied(PROGRAM.replace("a.password", "a.key"))
    entry = lab.resources()["a"]
    assert is_secret(entry["inputs"]["password"])
    assert is_secret(entry["outputs"]["password"])
    assert entry["outputs"]["labels"]["open"] == "plain"
    assert is_secret(entry["outputs"]["labels"]["deep"]["er"])
    assert entry["additionalSecretOutputs"] == ["key"]


def test_a_secret_the_provider_made_up_is_plain_until_it_is_declared(lab: Laboratory) -> None:
    """Trap 17: declaring it later repairs the state without an update."""
    lab.applied('Toy("a", on(lane()), secrets=())')
    assert lab.resources()["a"]["outputs"]["key"] == "key-of-a"
    lab.program('Toy("a", on(lane()), secrets=("key",))')
    assert operations(lab.up()) == {"a": "same"}
    assert is_secret(lab.resources()["a"]["outputs"]["key"])


def test_an_unencrypted_token_lies_in_the_state_of_an_explicit_instance(lab: Laboratory) -> None:
    """Trap 18: explicit instances record what they are given, as they are given it."""
    lab.configure(stack_config={"playground:token": "plain-token"})
    lab.applied('Toy("a", on(lane(toy_token=pulumi.Config().require("token"))))')
    assert lab.resources()["lane"]["inputs"] == {"toy:token": "plain-token"}
    lab.configure(secrets={"playground:token": "plain-token"})
    lab.program('Toy("a", on(lane(toy_token=pulumi.Config().require_secret("token"))))')
    assert operations(lab.up()) == {"a": "same"}
    assert is_secret(lab.resources()["lane"]["inputs"]["toy:token"])


def test_a_nested_secret_masks_only_itself(lab: Laboratory) -> None:
    """Trap 21: so the fleet's outputs stay readable."""
    lab.configure(secrets={"playground:token": SENTINEL})
    lab.applied(PROGRAM.replace('"password": a.password, ', ""))
    shown = lab.engine.outputs()["tenants"]["a"]
    assert shown["key"] == "[secret]"
    assert shown["url"].startswith("toy://a/")
    assert lab.engine.outputs(show_secrets=True)["tenants"]["a"]["key"] == "key-of-a"


def test_one_apply_around_a_secret_masks_everything(lab: Laboratory) -> None:
    """Trap 21: so billing must not read such an output."""
    lab.applied("""
        a = Toy("a", on(lane()))
        pulumi.export("tenants", pulumi.Output.all(a.url, a.key).apply(lambda found: {"url": found[0]}))
    """)
    assert lab.engine.outputs()["tenants"] == "[secret]"


def test_an_f_string_of_an_output_raises(lab: Laboratory) -> None:
    """Trap 21: with PULUMI_ERROR_OUTPUT_STRING it is no silent text."""
    lab.program('a = Toy("a", on(lane()))\npulumi.export("text", f"at {a.url}")')
    result = lab.up(preview=True)
    assert not result.ok
    assert "__str__" in result.failures[0].message


def test_the_provider_itself_is_a_secret_unless_its_class_says_it_is_not(lab: Laboratory) -> None:
    """Trap 3: nothing secret in the constructor, and the class says so."""
    lab.applied("""
        import toys

        class Closed(toys.ToyProvider):
            serialize_as_secret_always = True

        here = on(lane())
        Toy("a", here)
        Toy("b", here, provider=Closed())
    """)
    assert not is_secret(lab.resources()["a"]["inputs"]["__provider"])
    assert is_secret(lab.resources()["b"]["inputs"]["__provider"])


def test_a_secret_that_changes_is_an_update(lab: Laboratory) -> None:
    lab.configure(secrets={"playground:token": "first-token"})
    program = 'Toy("a", on(lane()), password=pulumi.Config().require_secret("token"))'
    lab.applied(program)
    assert operations(lab.up()) == {"a": "same"}
    lab.configure(secrets={"playground:token": "second-token"})
    assert operations(lab.up()) == {"a": "update"}
    assert lab.objects()["a"]["password"] == "second-token"


def test_a_wrong_passphrase_is_one_sentence(embedded: Laboratory) -> None:
    embedded.applied('Toy("a", on(lane()))')
    embedded.environ["PULUMI_CONFIG_PASSPHRASE"] = "wrong horse"
    with pytest.raises(EngineError, match=r"^incorrect passphrase: [^\n]*$"):
        embedded.up()


def test_messages_hold_no_secret_in_any_form(embedded: Laboratory) -> None:
    """Facts 2.6: a provider's error may quote what it was given."""
    embedded.configure(secrets={"playground:token": "s3cr3t/with+signs&more"})
    embedded.program("""
        import base64, urllib.parse
        import toys

        class Chatty(toys.ToyProvider):
            def create(self, props):
                text = props["password"]
                forms = [text, urllib.parse.quote(text, safe=""), base64.b64encode(text.encode()).decode()]
                raise RuntimeError("401 for " + " and ".join(forms))

        token = pulumi.Config().require_secret("token")
        pulumi.log.warn("careful")
        token.apply(lambda text: pulumi.log.info("the token is " + text))
        Toy("a", on(lane()), provider=Chatty(), password=token)
    """)
    texts: list[str] = []
    result = embedded.embedded.up(on_event=lambda event: texts.append(event.message))
    texts += [failure.message for failure in result.failures]
    assert "401 for [secret] and [secret] and [secret]" in texts
    assert "the token is [secret]" in texts
    assert "warning: careful" in texts
    assert not any("s3cr3t" in text or PASSPHRASE in text for text in texts)


def test_an_exception_of_the_program_is_masked(embedded: Laboratory) -> None:
    embedded.configure(secrets={"playground:token": SENTINEL})
    embedded.program("raise ValueError(f\"bad token {pulumi.Config().require('token')}\")")
    result = embedded.up()
    assert "bad token [secret]" in result.failures[0].message

"""Settings come from the provider instance's own keys, and the environment wins."""

from pathlib import Path

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from dynamic_providers.configuration import Configuration, read_configuration
from dynamic_providers.errors import ProviderError
from dynamic_providers.timeweb.cluster import ClusterProvider
from dynamic_providers.timeweb.session import open_session


def source(**values: object) -> Config:
    return Config({key.replace("_", ":"): value for key, value in values.items()}, "tenantry")


def test_defaults_are_the_vendors_addresses() -> None:
    """A3, G4, G5."""
    settings = read_configuration(source(timeweb_token="t"), {})
    assert settings == Configuration(token="t")
    assert settings.api_url == "https://api.timeweb.cloud"
    assert settings.iam_url == "https://panel.s3.twcstorage.ru"
    assert (settings.requests_per_second, settings.sslmode) == (20, "require")


def test_keys_are_read_and_numbers_parsed() -> None:
    keys = source(timeweb_apiUrl="https://a.example", timeweb_pollSeconds="0.5", tenantry_adminSecret="s")
    settings = read_configuration(keys, {"TENANTRY_RATE_DIR": "/run/rate"})
    assert (settings.api_url, settings.poll_seconds, settings.admin_secret) == ("https://a.example", 0.5, "s")
    assert settings.rate_dir == Path("/run/rate")


def test_the_environment_wins_and_an_empty_variable_does_not_count() -> None:
    keys = source(timeweb_token="from config", timeweb_iamUrl="https://iam.example")
    settings = read_configuration(keys, {"TIMEWEB_CLOUD_TOKEN": "from environment", "TIMEWEB_IAM_URL": ""})
    assert (settings.token, settings.iam_url) == ("from environment", "https://iam.example")


def test_a_number_that_is_none_names_its_key() -> None:
    with pytest.raises(ValueError, match=r"timeweb:pollSeconds \(or TIMEWEB_POLL_SECONDS\) is not a number: 'soon'"):
        read_configuration(source(timeweb_pollSeconds="soon"), {})


def test_secrets_are_not_in_the_repr() -> None:
    assert "hush" not in repr(Configuration(token="hush-1", admin_secret="hush-2"))


def test_a_provider_without_a_token_says_where_to_put_it() -> None:
    with pytest.raises(ProviderError, match="timeweb:token"):
        open_session(Configuration())


def test_a_token_does_not_travel_in_the_clear(tmp_path: Path) -> None:
    settings = Configuration(token="t", api_url="http://api.example", rate_dir=tmp_path / "rate")
    with pytest.raises(ProviderError, match="no https address"):
        open_session(settings)


def test_configure_builds_the_clients_and_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_RATE_DIR", str(tmp_path / "rate"))
    monkeypatch.setenv("TIMEWEB_CLOUD_TOKEN", "t")
    monkeypatch.setenv("TIMEWEB_API_URL", "http://127.0.0.1:9")

    provider = ClusterProvider()
    provider.configure(ConfigureRequest(source()))
    assert provider.session.configuration.api_url == "http://127.0.0.1:9"

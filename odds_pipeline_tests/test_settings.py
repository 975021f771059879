"""Settings are read from the environment, section by section."""

from __future__ import annotations

import pytest

from odds_pipeline.settings import BookmakerSettings, Settings


def test_naming_one_field_of_a_bookmaker_keeps_its_other_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODDS_BET9JA__URL", "http://127.0.0.1:9/bet9ja")
    settings = Settings()
    assert settings.bet9ja.url == "http://127.0.0.1:9/bet9ja"
    assert (settings.bet9ja.parallelism, settings.bet9ja.delay_ms) == (15, 25)


def test_a_bookmaker_without_a_section_gets_the_defaults() -> None:
    assert Settings().of("a_fourth_one") == BookmakerSettings()


@pytest.mark.parametrize("name", ["ODDS_DATABSE_URL", "ODDS_BET9JA__PARALELISM", "ODDS_PINNACLE__URL"])
def test_a_misspelt_variable_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "secret")
    with pytest.raises(ValueError, match=name) as refused:
        Settings()
    assert "no such setting" in str(refused.value)


@pytest.mark.parametrize("name", ["archive_url", "data_dir", "database_url", "retention_days"])
def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"ODDS_{name.upper()}", "")
    assert getattr(Settings(), name) == Settings.model_fields[name].default

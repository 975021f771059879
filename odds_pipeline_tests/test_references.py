"""References of the documentation to the code lead where they say, and follow the code when it moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from odds_pipeline_tests.references import DOCS, RENEW, ROOT, NotFound, Reference, definitions, references, renewed
from odds_pipeline_tests.shown_schema import indexes, tables

ALL = [reference for page in sorted(DOCS.rglob("*.md")) for reference in references(page)]


def test_every_reference_names_a_function_or_class_that_is_defined_at_that_line() -> None:
    assert [each for each in ALL if not leads_there(each)] == [], f"renew them: {RENEW}"


def leads_there(reference: Reference) -> bool:
    defined = definitions(ROOT / reference.path)
    return reference.name is not None and defined.get(reference.name) == reference.line


def test_the_schema_that_is_shown_is_the_models() -> None:
    page = (DOCS / "discovery.md").read_text()
    assert tables() in page, f"renew it: {RENEW}"
    assert indexes() in page, f"renew it: {RENEW}"


def test_the_ways_of_writing_and_reading_are_told_with_references() -> None:
    assert len({each.name for each in ALL if each.page.name == "discovery.md"}) > 40


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for path, text in {
        "odds_pipeline/read.py": "\n\nclass Reader:\n    def read(self): ...\n\ndef ask(): ...\n",
        "odds_pipeline/write.py": "async def write(): ...\ndef ask(): ...\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_reference_follows_a_name_to_another_line_and_to_another_module(checkout: Path) -> None:
    told = "`odds_pipeline/read.py:90` (`Reader.read`), then `odds_pipeline/read.py:1`\n(`write`) and `ask()`."
    assert renewed(told, checkout) == (
        "`odds_pipeline/read.py:4` (`Reader.read`), then `odds_pipeline/write.py:1`\n(`write`) and `ask()`."
    )


def test_of_two_of_one_name_the_one_in_the_module_told_is_meant(checkout: Path) -> None:
    assert renewed("`odds_pipeline/write.py:7` (`ask`)", checkout) == "`odds_pipeline/write.py:2` (`ask`)"


@pytest.mark.parametrize("told", ["`odds_pipeline/read.py:4` (`gone`)", "`odds_pipeline/moved.py:4` (`ask`)"])
def test_a_name_that_is_nowhere_or_in_two_other_places_is_refused(told: str, checkout: Path) -> None:
    with pytest.raises(NotFound):
        renewed(told, checkout)


def test_a_line_without_a_name_is_no_reference_that_holds() -> None:
    page = DOCS / "page.md"
    assert not leads_there(Reference(page, "odds_pipeline/settings.py", 1, None))

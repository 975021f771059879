"""Markdown of a report: whatever tables are called, it is read as what was meant, by a reader of Markdown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from odds_pipeline.storage.markdown import escaped, markdown
from odds_pipeline.storage.report.parts import Facts, Grid, Points, Section, Sentences, Statement, one_line

HOSTILE = (
    "a|b",
    "`code`",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "**strong** and _emphasis_ and ~~gone~~",
    "[text](http://example.org)",
    "![picture](http://example.org/x.png)",
    "&lt;&amp;",
    "back\\slash|\\|",
    "- a list",
    "1. a list",
    "# a heading",
    "> a quotation",
    "---",
    "=== ",
    "line\nbreak",
    "_a_ __b__ a_b_",
    "$x$",
    "\u202egnirts",
)
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def plain(tokens: list[Token]) -> list[str]:
    """The texts that a reader sees, one for each block; fails for anything but text in them."""
    found = [token for token in tokens if token.type == "inline"]
    for token in found:
        assert {child.type for child in token.children or ()} <= {"text", "text_special"}, token.content
    return ["".join(child.content for child in token.children or ()) for token in found]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_mean_nothing_but_themselves(name: str):
    tokens = READER.parse(
        markdown([Section(name, (Sentences(name), Points((name,)), Grid((name, name), ((name, name),), (1,))))])
    )
    assert plain(tokens) == [one_line(name)] * 7
    assert [token.type for token in tokens].count("list_item_open") == 1


@given(st.text(max_size=40))
def test_any_text_is_read_back_as_it_was(name: str):
    tokens = READER.parse(markdown([Section("x", (Grid(("a", "b"), ((f"x{name}x", name),)),))]))
    assert plain(tokens)[-2:] == [one_line(f"x{name}x"), one_line(name)]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=60))
def test_a_statement_stands_in_its_block_as_it_is(statement: str):
    tokens = READER.parse(markdown([Section("x", (Statement(f"SELECT {statement};", True), Sentences("end")))]))
    (block,) = [token for token in tokens if token.type == "fence"]
    assert (block.info, block.content.rstrip("\n")) == ("sql", f"SELECT {statement};".replace("\x00", "\ufffd"))
    assert plain(tokens)[-1] == "end"


def test_underscores_within_a_word_need_no_backslash():
    assert escaped("odds_history, _hidden_") == "odds_history, \\_hidden\\_"


def test_facts_are_a_table_of_two_columns():
    assert markdown([Section("t", (Facts((("Total", "63.0 GB"),)),))]).endswith("| Total | 63.0 GB |\n")


def test_what_is_too_long_is_left_out_from_the_end_and_counted():
    sections = [Section(name, (Sentences("x" * 100),)) for name in ("first", "second", "third")]
    short = markdown(sections, at_most=120)
    assert "## first" in short
    assert "## second" not in short
    assert short.endswith("2 sections are left out here; `odds-pipeline profile` has them.\n")
    assert "left out" not in markdown(sections)

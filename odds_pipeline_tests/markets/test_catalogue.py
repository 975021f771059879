"""The project's catalogue says what it must, and a faulty one is refused with file, row and remedy."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from odds_pipeline.markets.catalogue import Catalogue, CatalogueError
from odds_pipeline.markets.mapper import Mapper, Target

#: The types that the earlier system failed on and that betPawa has: bookmaker, source market, betPawa's ids.
MAPPABLE = """
bet9ja S_OUA 5000 | sportybet 800117 28000816 | bet9ja S_HAOU 5006,5003 | bet9ja S_HTFTOU 28000279
sportybet 818 28000279 | bet9ja S_EXACTGOAL 4926 | bet9ja S_HOMENOBET 4746 | bet9ja S_NGOALS 28000047
bet9ja S_GOALSAWAY 4938 | bet9ja S_GOALSHOME 4942 | bet9ja S_1STGOAL 28000224 | bet9ja S_1X22TOU 25451920
bet9ja S_2HT1X2GGNG 28000007 | bet9ja S_DCGGNGHT 28000021 | bet9ja S_GGNGOUN 4613062 | bet9ja S_LASTSCORE 4870
bet9ja S_MGOAL1T 28000065 | bet9ja S_MGOAL2T 28000071 | bet9ja S_SCORET 1096782 | sportybet 60100 28000850
sportybet 60200 28000810 | sportybet 12 4746 | sportybet 551 28000035 | sportybet 46 28000228
sportybet 543 28000007 | sportybet 544 25451920 | bet9ja S_GGNGOU 4613062 | bet9ja S_1X21 28000810
bet9ja S_1X22 28000850 | bet9ja S_HTFTCS 28000228 | bet9ja S_C1HTOU 1096784 | sportybet 8 28000224
bet9ja S_CAHH 1096786 | sportybet 25 4954 | bet9ja S_CAH 1096785 | bet9ja S_HA1HOU 4964,4961
sportybet 38 129110 | sportybet 39 129109 | sportybet 40 129108 | bet9ja S_HA2HOU 4982,4979
bet9ja S_MULTICH1 1096804 | bet9ja S_OECH 1096790 | bet9ja S_TEAMCORNER 1096787 | bet9ja S_TEAMCORNER1T 1096788
sportybet 169 1096803 | sportybet 170 1096793 | sportybet 171 1096797 | sportybet 180 1096794
sportybet 181 1096802 | sportybet 182 1096804 | sportybet 800289 28000815 | bet9ja S_BOOKSAWAY 1096770
bet9ja S_BOOKSHOME 1096768 | bet9ja S_ECH 1096777 | bet9ja S_EXACTBOOK 1096776 | bet9ja S_REDCARD 1096766
sportybet 142 1096776 | sportybet 143 1096768 | sportybet 144 1096770 | sportybet 155 1096777
sportybet 156 1096769 | sportybet 157 1096771
"""
CATALOGUE = Catalogue.load()
MAPPER = Mapper(CATALOGUE)


def test_the_catalogue_covers_what_it_must() -> None:
    """R13: 123 betPawa types, 120 with a SportyBet and 100 with a Bet9ja equal, 54 pairs of competitors' own."""
    betpawa = {market_id for market_id, market in CATALOGUE.markets.items() if not market.is_common}
    assert len(betpawa) == 123
    for bookmaker, expected in (("sportybet", 120), ("bet9ja", 100)):
        mapped = {
            source.market.market_id
            for (slug, _), sources in CATALOGUE.sources.items()
            for source in sources
            if slug == bookmaker and not source.market.is_common
        }
        compared = {m.market_id for m in CATALOGUE.markets.values() if m.compare_with in mapped}
        assert len(mapped | compared) == expected
    common = {market_id for market_id, market in CATALOGUE.markets.items() if market.is_common}
    assert len({market_id.partition("[")[0] for market_id in common}) == 54


def test_every_common_market_and_outcome_is_met_by_both_competitors() -> None:
    for market in CATALOGUE.markets.values():
        if not market.is_common:
            continue
        for bookmaker in ("sportybet", "bet9ja"):
            (source,) = (
                source
                for (slug, _), sources in CATALOGUE.sources.items()
                for source in sources
                if slug == bookmaker and source.market is market
            )
            assert set(source.outcomes.values()) == set(market.outcomes), (bookmaker, market.market_id)


def rows() -> list[tuple[str, str, str]]:
    cells = [cell.split() for line in MAPPABLE.strip().splitlines() for cell in line.split(" | ")]
    return [(bookmaker, source, targets) for bookmaker, source, targets in cells]


def test_there_are_62_mappable_types() -> None:
    assert len(set(rows())) == 62


@pytest.mark.parametrize(("bookmaker", "source", "targets"), rows())
def test_every_mappable_type_is_mapped_to_its_betpawa_market(bookmaker: str, source: str, targets: str) -> None:
    """B-19, B-22."""
    assert {one.market.market_id for one in CATALOGUE.sources[bookmaker, source]} == set(targets.split(","))


def specifier_of(bookmaker: str, required: dict[str, str], kind: str | None, constant: bool) -> str | None:
    """A specifier that a source of this kind would come with."""
    if bookmaker == "bet9ja":
        return None if kind is None or constant else "-1.5" if kind in ("asian", "european") else "2.5"
    line = {"over_under": "total=2.5", "asian": "hcp=-1.5", "european": "hcp=0:2", "number": "goalnr=1"}
    pairs = [f"{key}={value}" for key, value in required.items()] + ([line[kind]] if kind else [])
    return "|".join(pairs) or None


def test_every_row_of_the_catalogue_maps_its_market_and_each_of_its_outcomes() -> None:
    """B-18, B-25: by ids alone."""
    exercised = 0
    for (bookmaker, source_id), sources in CATALOGUE.sources.items():
        for source in sources:
            market = source.market
            specifier = specifier_of(
                bookmaker, dict(source.required), market.handicap_type, source.constant_line is not None
            )
            place = MAPPER.place(bookmaker, source_id, specifier)
            assert (place.target.line is None) == (market.handicap_type is None)
            if len(sources) == 1:
                assert (place.target.market_id, place.target.name) == (market.market_id, market.name)
            for source_outcome, key in source.outcomes.items():
                target, found, name = place.outcomes[source_outcome]
                assert isinstance(target, Target)
                assert (target.market_id, found, name) == (market.market_id, key, market.outcomes[key])
                exercised += 1
    assert exercised == sum(len(source.outcomes) for found in CATALOGUE.sources.values() for source in found) > 1200


def test_no_outcome_of_one_source_becomes_two() -> None:
    """B-18."""
    for bookmaker, source_id in CATALOGUE.sources:
        keys = [
            (source.required.items(), outcome, source.market.market_id)
            for source in CATALOGUE.sources[bookmaker, source_id]
            for outcome in source.outcomes
        ]
        owners = {(frozenset(required), outcome): market for required, outcome, market in keys}
        assert len(owners) == len(keys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small valid catalogue, to be spoilt."""
    write(
        tmp_path,
        "markets.csv",
        "market_id,name,handicap_type,groups,compare_with",
        "1,One,,main|goals,",
        "2,Two,over_under,,1",
    )
    write(tmp_path, "outcomes.csv", "market_id,outcome_key,name", "1,11,Home", "1,12,Away", "2,21,Over")
    write(
        tmp_path,
        "source_markets.csv",
        "bookmaker,source_market_id,required_specifier,market_id,constant_line",
        "acme,A,,1,",
        "acme,B,from=1|to=10,2,1.5",
    )
    write(
        tmp_path,
        "source_outcomes.csv",
        "bookmaker,source_market_id,source_outcome_id,market_id,outcome_key,evidence",
        "acme,A,h,1,11,reference",
        "acme,B,o,2,21,capture",
    )
    write(tmp_path, "superseded.csv", "market_id,outcome_key,new_market_id,new_outcome_key", "common:9,5,1,11")
    return tmp_path


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")


def append(folder: Path, name: str, line: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def test_a_small_catalogue_loads(folder: Path) -> None:
    catalogue = Catalogue.load(folder)
    assert catalogue.markets["1"].groups == ("main", "goals")
    assert catalogue.markets["2"].compare_with == "1"
    (source,) = catalogue.sources["acme", "B"]
    assert (dict(source.required), str(source.constant_line)) == ({"from": "1", "to": "10"}, "1.5")
    assert catalogue.superseded == {("common:9", "5"): ("1", "11")}


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("markets.csv", "1,Again,,,", "markets.csv:4: market_id 1 stands in row 2 already"),
        ("markets.csv", "3,Three,sideways,,", "markets.csv:4: handicap_type 'sideways'; use one of"),
        ("markets.csv", "3,,,,", "markets.csv:4: name is empty; fill it"),
        ("markets.csv", "3, Three,,,", "has spaces around it"),
        ("markets.csv", "3,Three,,", "4 cells for 5 columns"),
        ("markets.csv", "3,Three,,,7", "compare_with 7 is no market"),
        ("outcomes.csv", "9,91,X", "outcomes.csv:5: market_id 9 is no market; add it to markets.csv"),
        ("outcomes.csv", "1,11,X", "outcomes.csv:5: market_id 1, outcome_key 11 stands in row 2 already"),
        ("outcomes.csv", "1,13,Home", "name Home stands twice in market 1"),
        ("source_markets.csv", "acme,C,,9,", "market_id 9 is no market"),
        ("source_markets.csv", "acme,A,,1,", "stands in row 2 already"),
        ("source_markets.csv", "acme,C,total,1,", "required_specifier: 'total' in 'total' is not key=value"),
        ("source_markets.csv", "acme,C,,2,much", "constant_line: line 'much' is not a plain decimal"),
        ("source_markets.csv", "acme,C,,1,2.5", "constant_line for 1, which has no line"),
        ("source_outcomes.csv", "acme,Z,h,1,11,reference", "acme Z is not mapped to 1; add it to source_markets.csv"),
        ("source_outcomes.csv", "acme,A,x,1,99,reference", "outcome_key 99 is no outcome of 1; add it to outcomes.csv"),
        ("source_outcomes.csv", "acme,A,h,1,12,reference", "stands in row 2 already"),
        ("source_outcomes.csv", "acme,A,x,1,12,guess", "evidence 'guess'; use one of"),
        ("superseded.csv", "1,11,1,12", "1 11 is still in outcomes.csv; remove it there"),
        ("superseded.csv", "common:9,6,1,99", "1 99 is no outcome; add it to outcomes.csv"),
    ],
)
def test_a_fault_is_reported_with_file_row_and_remedy(folder: Path, file: str, line: str, message: str) -> None:
    append(folder, file, line)
    with pytest.raises(CatalogueError) as error:
        Catalogue.load(folder)
    assert message in str(error.value)


def test_two_markets_may_not_claim_one_source_outcome(folder: Path) -> None:
    append(folder, "source_markets.csv", "acme,A,,2,2.5")
    append(folder, "source_outcomes.csv", "acme,A,h,2,21,reference")
    with pytest.raises(CatalogueError, match="outcome h of acme A is claimed by 1 and by 2"):
        Catalogue.load(folder)


def test_columns_and_files_must_be_the_documented_ones(folder: Path) -> None:
    write(folder, "outcomes.csv", "market_id,outcome_key,name,extra", "1,11,Home,x")
    (folder / "superseded.csv").unlink()
    (folder / "markets.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogueError) as error:
        Catalogue.load(folder)
    assert "outcomes.csv:1: columns are market_id, outcome_key, name, extra; write market_id" in str(error.value)
    assert "superseded.csv: missing" in str(error.value)
    assert "markets.csv: not a CSV file in UTF-8" in str(error.value)


def test_the_version_is_of_the_content_alone(folder: Path) -> None:
    version = Catalogue.load(folder).version
    path = folder / "outcomes.csv"
    header, *lines = path.read_text("utf-8").splitlines()
    path.write_bytes("\r\n".join([header, *reversed(lines)]).encode())
    assert Catalogue.load(folder).version == version
    append(folder, "outcomes.csv", "\n2,22,Under")
    assert Catalogue.load(folder).version != version


def test_the_project_s_files_load_from_any_folder(tmp_path: Path) -> None:
    for file in (files("odds_pipeline.markets") / "data").iterdir():
        if file.name.endswith(".csv"):
            shutil.copy(str(file), tmp_path / file.name)
    assert Catalogue.load(tmp_path).version == CATALOGUE.version

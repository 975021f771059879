"""The catalogue of equivalent markets: its data files (``data/``, format in ``data/README.md``) read and checked.

Here: what the files say, as typed rows with lookups, and every rule that they must obey. Applying them to a bookmaker's
answer is in ``mapper.py``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import xxhash

from odds_pipeline.markets.specifier import SpecifierError, parse_pairs, read_line

HANDICAP_TYPES = frozenset({"over_under", "asian", "european", "number"})
EVIDENCE = frozenset({"reference", "capture", "family"})

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "markets.csv": ("market_id", "name", "handicap_type", "groups", "compare_with"),
    "outcomes.csv": ("market_id", "outcome_key", "name"),
    "source_markets.csv": (
        "bookmaker",
        "source_market_id",
        "required_specifier",
        "market_id",
        "constant_line",
    ),
    "source_outcomes.csv": (
        "bookmaker",
        "source_market_id",
        "source_outcome_id",
        "market_id",
        "outcome_key",
        "evidence",
    ),
    "superseded.csv": ("market_id", "outcome_key", "new_market_id", "new_outcome_key"),
}
#: Columns that may be empty; every other one must hold something.
_OPTIONAL = frozenset(
    {"handicap_type", "groups", "compare_with", "required_specifier", "constant_line"},
)


class CatalogueError(ValueError):
    """The data files break a rule; the message lists every fault as ``file:row: what is wrong; what to do``."""


@dataclass(frozen=True, slots=True)
class Market:
    """A canonical market. ``outcomes`` maps outcome key to name, in the order of the file."""

    market_id: str
    name: str
    handicap_type: str | None
    groups: tuple[str, ...]
    compare_with: str | None
    outcomes: Mapping[str, str]

    @property
    def is_common(self) -> bool:
        """Whether only competitors have it: its id is ours, not betPawa's."""
        return self.market_id.startswith("common:")


@dataclass(frozen=True, slots=True)
class SourceMarket:
    """One bookmaker's market and the canonical market that it (or a part of its outcomes) is.

    ``outcomes`` maps the bookmaker's outcome id to the canonical outcome key.
    """

    bookmaker: str
    source_market_id: str
    required: Mapping[str, str]
    market: Market
    constant_line: Decimal | None
    outcomes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the files say. ``sources`` is keyed by (bookmaker, source market id); ``superseded`` by old identity."""

    version: str
    markets: Mapping[str, Market]
    sources: Mapping[tuple[str, str], tuple[SourceMarket, ...]]
    superseded: Mapping[tuple[str, str], tuple[str, str]]

    @classmethod
    def load(cls, folder: Path | None = None) -> Catalogue:
        """Read and check the project's own files, or those of ``folder``. Raises ``CatalogueError``."""
        return _Loader(folder or files("odds_pipeline.markets") / "data").load()


@dataclass(slots=True)
class _Row:
    """A line of a file and where it stands, so that a fault can be found."""

    file: str
    number: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def key(self, *columns: str) -> tuple[str, ...]:
        return tuple(self.values[column] for column in columns)


@dataclass(slots=True)
class _Loader:
    folder: Path | Traversable
    faults: list[str] = field(default_factory=list[str])

    def load(self) -> Catalogue:
        rows = {name: list(self._read(name)) for name in _COLUMNS}
        self._stop_on_faults()
        markets = self._markets(rows["markets.csv"], rows["outcomes.csv"])
        sources = self._sources(rows["source_markets.csv"], rows["source_outcomes.csv"], markets)
        superseded = self._superseded(rows["superseded.csv"], markets)
        self._stop_on_faults()
        return Catalogue(_version(rows), markets, sources, superseded)

    def _stop_on_faults(self) -> None:
        if self.faults:
            raise CatalogueError("the market catalogue is not valid:\n  " + "\n  ".join(self.faults))

    def _fault(self, row: _Row, what: str) -> None:
        self.faults.append(f"{row.file}:{row.number}: {what}")

    def _read(self, name: str) -> Iterator[_Row]:
        path = self.folder / name
        try:
            reader = csv.reader(path.read_text("utf-8").splitlines(), strict=True)
            header = tuple(next(reader, ()))
            if header != _COLUMNS[name]:
                self.faults.append(
                    f"{name}:1: columns are {', '.join(header) or 'missing'}; "
                    f"write {', '.join(_COLUMNS[name])}, in this order"
                )
                return
            for cells in reader:
                yield from self._checked(name, reader.line_num, header, cells)
        except FileNotFoundError:
            self.faults.append(f"{name}: missing; add it, with its header row if it has nothing to say")
        except (csv.Error, UnicodeDecodeError) as error:
            self.faults.append(f"{name}: not a CSV file in UTF-8 ({error}); see data/README.md")

    def _checked(self, name: str, number: int, header: tuple[str, ...], cells: list[str]) -> Iterator[_Row]:
        if len(cells) != len(header):
            self.faults.append(
                f"{name}:{number}: {len(cells)} cells for {len(header)} columns; quote cells with commas"
            )
            return
        row = _Row(name, number, dict(zip(header, cells, strict=True)))
        for column, value in row.values.items():
            if value != value.strip():
                self._fault(row, f"{column} {value!r} has spaces around it; remove them")
            elif not value and column not in _OPTIONAL:
                self._fault(row, f"{column} is empty; fill it")
        yield row

    def _unique(self, rows: Iterable[_Row], *columns: str) -> Iterator[_Row]:
        first: dict[tuple[str, ...], int] = {}
        for row in rows:
            key = row.key(*columns)
            if key in first:
                claimed = ", ".join(f"{column} {value}" for column, value in zip(columns, key, strict=True))
                self._fault(row, f"{claimed} stands in row {first[key]} already; keep one of them")
                continue
            first[key] = row.number
            yield row

    def _optional(
        self, row: _Row, column: str, read: Callable[[str], Decimal | Mapping[str, str]]
    ) -> Decimal | Mapping[str, str] | None:
        try:
            return read(row[column]) if row[column] else None
        except SpecifierError as error:
            self._fault(row, f"{column}: {error}; correct it")
            return None

    def _markets(self, rows: list[_Row], outcome_rows: list[_Row]) -> dict[str, Market]:
        outcomes: dict[str, dict[str, str]] = {}
        markets: dict[str, Market] = {}
        for row in self._unique(rows, "market_id"):
            kind = row["handicap_type"]
            if kind and kind not in HANDICAP_TYPES:
                self._fault(row, f"handicap_type {kind!r}; use one of {', '.join(sorted(HANDICAP_TYPES))}")
            mine = outcomes[row["market_id"]] = {}
            groups = tuple(row["groups"].split("|")) if row["groups"] else ()
            markets[row["market_id"]] = Market(
                row["market_id"], row["name"], kind or None, groups, row["compare_with"] or None, mine
            )
        for row in rows:
            if row["compare_with"] and row["compare_with"] not in markets:
                self._fault(row, f"compare_with {row['compare_with']} is no market; add it to markets.csv")
        for row in self._unique(outcome_rows, "market_id", "outcome_key"):
            if row["market_id"] not in markets:
                self._fault(row, f"market_id {row['market_id']} is no market; add it to markets.csv")
                continue
            names = outcomes[row["market_id"]]
            if row["name"] in names.values():
                self._fault(row, f"name {row['name']} stands twice in market {row['market_id']}; rename one")
            names[row["outcome_key"]] = row["name"]
        return markets

    def _sources(
        self, rows: list[_Row], outcome_rows: list[_Row], markets: dict[str, Market]
    ) -> dict[tuple[str, str], tuple[SourceMarket, ...]]:
        maps: dict[tuple[str, str, str], dict[str, str]] = {}
        sources: dict[tuple[str, str], list[SourceMarket]] = {}
        for row in self._unique(rows, "bookmaker", "source_market_id", "required_specifier", "market_id"):
            market = markets.get(row["market_id"])
            if market is None:
                self._fault(row, f"market_id {row['market_id']} is no market; add it to markets.csv")
                continue
            required = self._optional(row, "required_specifier", parse_pairs)
            constant = self._optional(row, "constant_line", read_line)
            if constant is not None and market.handicap_type is None:
                self._fault(row, f"constant_line for {market.market_id}, which has no line; remove it")
            mine = maps.setdefault((row["bookmaker"], row["source_market_id"], market.market_id), {})
            sources.setdefault((row["bookmaker"], row["source_market_id"]), []).append(
                SourceMarket(
                    row["bookmaker"],
                    row["source_market_id"],
                    required if isinstance(required, Mapping) else {},
                    market,
                    constant if isinstance(constant, Decimal) else None,
                    mine,
                )
            )
        identity = ("bookmaker", "source_market_id", "market_id")
        for row in self._unique(outcome_rows, *identity, "source_outcome_id"):
            if row["evidence"] not in EVIDENCE:
                self._fault(row, f"evidence {row['evidence']!r}; use one of {', '.join(sorted(EVIDENCE))}")
            mine = maps.get((row["bookmaker"], row["source_market_id"], row["market_id"]))
            if mine is None:
                self._fault(
                    row,
                    f"{row['bookmaker']} {row['source_market_id']} is not mapped to {row['market_id']}; "
                    "add it to source_markets.csv",
                )
            elif row["outcome_key"] not in markets[row["market_id"]].outcomes:
                self._fault(
                    row,
                    f"outcome_key {row['outcome_key']} is no outcome of {row['market_id']}; add it to outcomes.csv",
                )
            else:
                mine[row["source_outcome_id"]] = row["outcome_key"]
        self._check_claims(rows, sources)
        return {key: tuple(found) for key, found in sources.items()}

    def _check_claims(self, rows: list[_Row], sources: dict[tuple[str, str], list[SourceMarket]]) -> None:
        """No source outcome may become two canonical ones under the same specifier."""
        for (bookmaker, source_id), found in sources.items():
            claimed: dict[tuple[frozenset[tuple[str, str]], str], str] = {}
            for source in found:
                for outcome in source.outcomes:
                    owner = claimed.setdefault((frozenset(source.required.items()), outcome), source.market.market_id)
                    if owner != source.market.market_id:
                        row = next(
                            r
                            for r in rows
                            if r.key("bookmaker", "source_market_id", "market_id")
                            == (bookmaker, source_id, source.market.market_id)
                        )
                        self._fault(
                            row,
                            f"outcome {outcome} of {bookmaker} {source_id} is claimed by {owner} and by "
                            f"{source.market.market_id}; remove one row of source_outcomes.csv",
                        )

    def _superseded(self, rows: list[_Row], markets: dict[str, Market]) -> dict[tuple[str, str], tuple[str, str]]:
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for row in self._unique(rows, "market_id", "outcome_key"):
            old, new = row.key("market_id", "outcome_key"), row.key("new_market_id", "new_outcome_key")
            if old[0] in markets and old[1] in markets[old[0]].outcomes:
                self._fault(row, f"{old[0]} {old[1]} is still in outcomes.csv; remove it there")
            if new[0] not in markets or new[1] not in markets[new[0]].outcomes:
                self._fault(row, f"{new[0]} {new[1]} is no outcome; add it to outcomes.csv")
            found[old[0], old[1]] = new[0], new[1]
        return found


def _version(rows: Mapping[str, list[_Row]]) -> str:
    """16 hex digits that change with the content of any row, and not with the order of rows or line endings."""
    digest = xxhash.xxh3_64()
    for name, found in rows.items():
        for line in sorted("\x1f".join((name, *row.values.values())) for row in found):
            digest.update(line.encode() + b"\x1e")
    return digest.hexdigest()

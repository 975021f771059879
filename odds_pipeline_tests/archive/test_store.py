"""The store of archives, a folder or an object store: files appear whole or not at all, errors say what is wrong."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.compute as pc
import pytest

from odds_pipeline.archive.pending import Layout
from odds_pipeline.archive.store import Archive, ArchiveDamaged, ArchiveOfAnother, ArchiveUnusable
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archive.stores import ACCESS_KEY, S3, SECRET_KEY

SCHEMA = {"market_id": pl.Int32, "name": pl.String, "odds": pl.List(pl.Struct({"price": pl.Decimal(12, 3)}))}
FOLDER, NAME = "history/day=2026-11-20", "part one.parquet"
PATH = f"{FOLDER}/{NAME}"


@pytest.fixture
def archive(archive_url: str) -> Archive:
    return Archive(archive_url)


def rows(first: int, number: int = 1000) -> pl.DataFrame:
    ids = range(first, first + number)
    odds = [[{"price": f"{each}.125"}] for each in ids]
    priced = pl.Series(odds, dtype=pl.List(pl.Struct({"price": pl.String}))).cast(SCHEMA["odds"])
    return pl.DataFrame({"market_id": ids, "name": [f"ÄÖ {each}" for each in ids], "odds": priced}, schema=SCHEMA)


def test_what_was_written_is_read_back_exactly(archive: Archive) -> None:
    file = archive.write(FOLDER, NAME, [rows(0), rows(1000)], SCHEMA, Layout(row_group_rows=300))
    assert (file.path, file.rows) == (PATH, 2000)
    assert archive.read(PATH).equals(rows(0, 2000))
    assert dict(archive.read(PATH).schema) == SCHEMA
    assert len(archive.read_bytes(PATH)) == file.bytes
    archive.require(file)


def test_a_condition_and_columns_leave_the_rest_unread(archive: Archive) -> None:
    archive.write(FOLDER, NAME, [rows(0)], SCHEMA)
    found = archive.read(PATH, columns=["name"], where=pc.field("market_id").isin([5, 999]))
    assert found.to_dict(as_series=False) == {"name": ["ÄÖ 5", "ÄÖ 999"]}


def test_a_file_without_rows_has_its_schema(archive: Archive) -> None:
    assert archive.write(FOLDER, NAME, [], SCHEMA).rows == 0
    assert dict(archive.read(PATH).schema) == SCHEMA


def test_a_file_appears_when_it_is_finished_and_not_before(archive: Archive) -> None:
    with archive.begin(FOLDER, NAME, SCHEMA) as pending:
        pending.append(rows(0))
        assert archive.list("history") == []
        pending.finish()
        assert archive.list("history") == [PATH]


def test_a_file_that_is_given_up_leaves_nothing(archive: Archive) -> None:
    with archive.begin(FOLDER, NAME, SCHEMA) as pending:
        pending.append(rows(0))
    assert archive.list("") == []


def test_a_file_of_the_same_name_takes_the_place_of_the_older_one(archive: Archive) -> None:
    older = archive.write(FOLDER, NAME, [rows(0)], SCHEMA)
    newer = archive.write(FOLDER, NAME, [rows(7, 3)], SCHEMA)
    assert archive.read(PATH).equals(rows(7, 3))
    archive.require(newer)
    with pytest.raises(ArchiveDamaged, match="is not what was written"):
        archive.require(older)


def test_files_are_listed_by_folder_and_by_age(archive: Archive) -> None:
    for path in ("state/day=2026-11-20/b", "state/day=2026-11-19/a", "history/day=2026-11-20/c"):
        archive.put(path, [b"x"])
    assert archive.list("state") == ["state/day=2026-11-19/a", "state/day=2026-11-20/b"]
    assert archive.list("observations") == []
    now = datetime.now(UTC)
    assert archive.list("state", written_before=now + timedelta(hours=1)) == archive.list("state")
    assert archive.list("state", written_before=now - timedelta(hours=1)) == []


def test_deleting_is_done_once_and_asked_for_often(archive: Archive) -> None:
    archive.put("state/a", [b"x"])
    archive.put("state/b", [b"x"])
    assert archive.exists("state/a")
    for _ in range(2):
        archive.delete(["state/a", "state/never there"])
        assert not archive.exists("state/a")
    assert archive.list("state") == ["state/b"]


def test_an_archive_belongs_to_the_database_that_came_first(archive: Archive, archive_url: str) -> None:
    archive.claim("first")
    Archive(archive_url).claim("first")
    with pytest.raises(ArchiveOfAnother, match=r"belongs to another odds database \(first\); give this one") as refused:
        Archive(archive_url).claim("second")
    assert SECRET_KEY not in str(refused.value)
    archive.delete(["archive.txt"])
    Archive(archive_url).claim("second")


def test_an_archive_that_has_files_is_not_taken_for_an_empty_one(archive: Archive, archive_url: str) -> None:
    """A folder that is not mounted, or another URL."""
    with pytest.raises(
        ArchiveUnusable, match=r"is empty, but the database names files.* put the line me into"
    ) as refused:
        archive.claim("me", is_in_use=True)
    assert SECRET_KEY not in str(refused.value)
    archive.put("history/other", [b"x"])
    Archive(archive_url).claim("me", is_in_use=True)
    archive.delete(["history/other"])
    Archive(archive_url).claim("me", is_in_use=True)


def test_a_missing_file_is_named(archive: Archive) -> None:
    archive.put("history/other", [b"x"])
    for read in (archive.read, archive.read_bytes):
        with pytest.raises(ArchiveDamaged, match=f"{PATH} in the archive .* cannot be read") as missing:
            read(PATH)
        assert SECRET_KEY not in str(missing.value)


@pytest.mark.parametrize("damage", ["empty", "cut short", "one bit", "another file"])
def test_a_damaged_file_is_named(archive: Archive, damage: str) -> None:
    file = archive.write(FOLDER, NAME, [rows(0, 5_000)], SCHEMA)
    whole = archive.read_bytes(PATH)
    middle = len(whole) // 3
    damaged = {
        "empty": b"",
        "cut short": whole[:-100],
        "one bit": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "another file": b"not Parquet at all",
    }
    archive.put(PATH, [damaged[damage]])
    with pytest.raises(ArchiveDamaged, match=PATH):
        archive.read(PATH)
    with pytest.raises(ArchiveDamaged, match=PATH):
        archive.require(file)


def test_a_full_disk_leaves_no_file_and_says_so(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.put("state/a", [b"before"])
    with limited_files(1 << 16), pytest.raises(ArchiveUnusable, match=r"cannot be written: .*has it room"):
        archive.put("state/a", (b"x" * 4096 for _ in range(32)))
    assert archive.read_bytes("state/a") == b"before"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]


@contextmanager
def limited_files(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: what a full disk is to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_writer_that_fails_half_way_leaves_the_older_file(archive: Archive) -> None:
    archive.put("state/a", [b"before"])

    def pieces() -> Iterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        archive.put("state/a", pieces())
    assert archive.read_bytes("state/a") == b"before"
    assert archive.list("") == ["state/a"]


def test_a_place_that_is_no_folder_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    archive = Archive(tmp_path / "file" / "archive")
    for attempt in (
        lambda: archive.claim("me"),
        lambda: archive.write(FOLDER, NAME, [rows(0)], SCHEMA),
        lambda: archive.list("history"),
    ):
        with pytest.raises(ArchiveUnusable, match=r"file/archive cannot be .* may this account write to it"):
            attempt()


def test_an_unreachable_store_is_named_without_its_credentials() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listened on: nobody else gets it, nobody answers
        archive = Archive(S3(taken.getsockname()[1]).url("archive"))
        with pytest.raises(ArchiveUnusable, match=r"s3://\*\*\*@odds/archive.* cannot be read") as unreachable:
            archive.claim("me")
    assert_no_secret(unreachable.value, archive)


def test_a_bucket_that_is_not_there_is_named_without_its_credentials(s3: S3) -> None:
    archive = Archive(s3.url("archive", bucket="no-such-bucket"))
    with pytest.raises(ArchiveUnusable, match="no-such-bucket") as missing:
        archive.write(FOLDER, NAME, [rows(0)], SCHEMA)
    assert_no_secret(missing.value, archive)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://{ACCESS_KEY}:{SECRET_KEY}@bucket/with a space",
        f"s3://bucket/prefix?secret_key={SECRET_KEY}",
        f"s3://{ACCESS_KEY}:a?{SECRET_KEY}@bucket/prefix",
        f"s3://{ACCESS_KEY}:{SECRET_KEY}@/",
        f"ftp://{ACCESS_KEY}:{SECRET_KEY}@bucket/prefix",
    ],
)
def test_a_url_that_is_not_understood_is_named_without_its_credentials(url: str) -> None:
    archive = Archive.from_settings(Settings(archive_url=url))  # type: ignore[arg-type]
    with pytest.raises(ArchiveUnusable, match=r"ODDS_ARCHIVE_URL .* is not understood") as refused:
        archive.claim("me")
    assert_no_secret(refused.value, archive)


def assert_no_secret(error: Exception, archive: Archive) -> None:
    for text in (str(error), repr(archive), archive.url):
        assert SECRET_KEY not in text
        assert ACCESS_KEY not in text


def test_a_folder_may_be_given_from_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Archive("~/archive").folder == tmp_path / "archive"


def test_a_folder_may_be_given_as_a_url(tmp_path: Path) -> None:
    archive = Archive(f"file://{tmp_path}/with%20a%20space")
    archive.put("state/a", [b"x"])
    assert (tmp_path / "with a space" / "state" / "a").read_bytes() == b"x"


def test_without_a_setting_the_archive_is_in_the_data_directory(server_directory: Path) -> None:
    assert Archive.from_settings(Settings(data_dir=server_directory)).folder == server_directory / "archive"

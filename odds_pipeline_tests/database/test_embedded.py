"""The embedded server: its lifetime, what a crash leaves behind, and the places where it has to work."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString

import adbc_driver_postgresql.dbapi as adbc
import psutil
import psycopg
import psycopg2
import pytest
from sqlalchemy import make_url

from odds_pipeline.database.embedded import EmbeddedServer, EmbeddedServerError, stop_abandoned
from odds_pipeline.database.programs import MAJOR_VERSION, ProgramFailed, Programs, find_programs
from odds_pipeline.database.server_settings import SERVER_SETTINGS
from odds_pipeline.service_account import ServiceAccount, service_account
from odds_pipeline_tests.database.server_processes import leave, server_pid, user_process
from odds_pipeline_tests.database.servers import TEST_SETTINGS, directory_for_a_server

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which this test is about")


@pytest.fixture(scope="module")
def made_cluster() -> Iterator[Path]:
    """The directory of a cluster that was made, used once and shut down, to be copied (which is faster than making)."""
    with directory_for_a_server() as directory:
        with ensure(directory):
            pass
        yield directory / "postgres"


@pytest.fixture
def cluster_directory(server_directory: Path, made_cluster: Path) -> Path:
    """A new data directory that has a cluster already, shut down."""
    subprocess.run(["cp", "-a", made_cluster, server_directory], check=True)
    return server_directory


def ensure(data_dir: Path, **overrides: str) -> EmbeddedServer:
    return EmbeddedServer.ensure(data_dir, overrides={**TEST_SETTINGS, "shared_buffers": "16MB", **overrides})


def query(server: EmbeddedServer, text: LiteralString, database: str = "odds") -> list[tuple]:
    with psycopg.connect(server.url(database)) as connection:
        return connection.execute(text).fetchall()


def execute(server: EmbeddedServer, command: LiteralString) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(command)


def server_process(server: EmbeddedServer) -> psutil.Process:
    pid = server.health().pid
    assert pid is not None
    return psutil.Process(pid)


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_both_databases_are_there_and_outlive_a_stop(server_directory: Path) -> None:
    with ensure(server_directory) as server:
        assert server.health().is_serving
        assert re.fullmatch(r"PostgreSQL 18\.\d+", server.health().detail)
        assert query(server, "SELECT current_database()", "dagster") == [("dagster",)]
        execute(server, "CREATE TABLE kept AS SELECT 42 AS n")
        process = server_process(server)
    assert is_gone(process)
    assert not server.health().is_serving
    with pytest.raises(EmbeddedServerError, match="not running"):
        server.url()
    with ensure(server_directory) as server:
        assert query(server, "SELECT n FROM kept") == [(42,)]


def test_the_second_process_finds_the_running_server_and_the_last_to_leave_stops_it(cluster_directory: Path) -> None:
    with ensure(cluster_directory) as server, user_process(cluster_directory) as other:
        process = server_process(server)
        assert server_pid(other) == process.pid
        server.leave()
        server.leave()  # once is enough: a second time changes nothing
        assert server.health().is_serving
        leave(other)
        assert is_gone(process)


def test_processes_that_start_at_once_share_one_server(server_directory: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user_process(server_directory)) for _ in range(4)]
        assert len({server_pid(user) for user in users}) == 1


def test_two_uses_in_one_process_count_as_two(cluster_directory: Path) -> None:
    with ensure(cluster_directory) as first:
        with ensure(cluster_directory) as second:
            assert second.url() == first.url()
        assert first.health().is_serving


def test_the_death_of_its_owner_leaves_the_server_to_the_next(cluster_directory: Path) -> None:
    with user_process(cluster_directory) as owner:
        pid = server_pid(owner)
        owner.kill()
        owner.wait(60)
        with ensure(cluster_directory) as server:
            process = server_process(server)
            assert process.pid == pid
        wait_until(lambda: is_gone(process))


def test_an_interrupt_at_the_terminal_does_not_reach_the_server(cluster_directory: Path) -> None:
    with user_process(cluster_directory, start_new_session=True, stderr=subprocess.DEVNULL) as owner:
        pid = server_pid(owner)
        assert os.getpgid(pid) != os.getpgid(owner.pid)
        with ensure(cluster_directory) as server:
            os.killpg(owner.pid, signal.SIGINT)
            owner.wait(60)
            assert server_process(server).pid == pid


def test_an_abandoned_server_is_stopped_and_one_in_use_is_not(cluster_directory: Path) -> None:
    with user_process(cluster_directory) as owner:
        process = psutil.Process(server_pid(owner))
        assert not stop_abandoned(cluster_directory)
        owner.kill()
        owner.wait(60)
        assert stop_abandoned(cluster_directory)
        assert is_gone(process)


def test_stop_ends_the_server_whoever_uses_it(cluster_directory: Path) -> None:
    with ensure(cluster_directory) as server, user_process(cluster_directory) as other:
        process = psutil.Process(server_pid(other))
        server.stop()
        assert is_gone(process)
        with ensure(cluster_directory) as again:
            assert again.health().is_serving


def test_what_was_committed_survives_the_servers_death_while_one_of_its_processes_is_busy(
    cluster_directory: Path,
) -> None:
    with ensure(cluster_directory) as server:
        busy = psycopg.connect(server.url())
        backend = psutil.Process(busy.info.backend_pid)
        execute(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        work = threading.Thread(
            target=_ignore_disconnection, args=(busy, "SELECT count(*) FROM generate_series(1, 1e12)")
        )
        work.start()
        wait_until(lambda: query(server, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'")[0][0] == 2)
        server_process(server).kill()
        with ensure(cluster_directory) as again:
            assert query(again, "SELECT count(*) FROM kept") == [(1000,)]
            assert is_gone(backend)
        work.join(30)
        assert not work.is_alive()


def _ignore_disconnection(connection: psycopg.Connection, text: LiteralString) -> None:
    try:
        connection.execute(text)
    except psycopg.OperationalError:
        connection.close()


def test_a_pid_file_whose_pid_belongs_to_a_stranger_since_a_reboot_is_no_obstacle(cluster_directory: Path) -> None:
    with ensure(cluster_directory) as server:
        cluster = cluster_directory / "postgres" / "cluster"
        pid_file = (cluster / "postmaster.pid").read_text()
    account = service_account()
    stranger = subprocess.Popen(["sleep", "600"], **(account.process_options if account else {}))
    try:
        lines = pid_file.splitlines(keepends=True)
        (cluster / "postmaster.pid").write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
        # A crash leaves the socket and its lock, too, as a reboot does where the data directory holds them.
        (cluster.parent / "socket" / ".s.PGSQL.5432.lock").write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
        with ensure(cluster_directory) as server:
            assert server_process(server).pid != stranger.pid
        assert stranger.poll() is None, "the stranger was killed"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_cluster_left_half_made_is_made_anew(server_directory: Path) -> None:
    unfinished = server_directory / "postgres" / "cluster.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with ensure(server_directory) as server:
        assert server.health().is_serving
    assert not unfinished.exists()


def test_the_copy_of_a_running_data_directory_is_a_server_of_its_own(cluster_directory: Path) -> None:
    (cluster_directory / "copy").mkdir(mode=0o711)
    with ensure(cluster_directory / "original") as original:
        subprocess.run(
            ["cp", "-a", cluster_directory / "original" / "postgres", cluster_directory / "copy"], check=True
        )
        with ensure(cluster_directory / "copy") as copy:
            assert server_process(copy).pid != server_process(original).pid
            served = query(copy, "SHOW data_directory")
            assert served == [(str(cluster_directory / "copy" / "postgres" / "cluster"),)]


@pytest.mark.parametrize(
    "name", ["a b, c", 'it\'s "quoted" $HOME `id` 100%', "日本 ünïcode", "long/" + "d" * 60 + "/" + "e" * 60]
)
def test_a_path_of_any_kind_serves_every_client(server_directory: Path, name: str) -> None:
    with ensure(server_directory / name) as server:
        url = server.url()
        assert query(server, "SELECT 1") == [(1,)]
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.close()
        with adbc.connect(url) as arrow, arrow.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        socket_directory = Path(make_url(url).query["host"])  # pyright: ignore[reportArgumentType]
    assert socket_directory.is_relative_to(server_directory) or not socket_directory.exists()


def test_the_url_holds_whatever_libpq_variables_the_environment_has(
    cluster_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGUSER": "nobody",
        "PGDATA": "/nowhere",
    }.items():
        monkeypatch.setenv(variable, value)
    with ensure(cluster_directory) as server:
        assert query(server, "SELECT current_user::text") == [("postgres",)]


def test_the_settings_are_in_force_and_alter_system_wins_over_them(server_directory: Path) -> None:
    with EmbeddedServer.ensure(server_directory, overrides={"fsync": "off"}) as server:
        names = ("checkpoint_timeout", "max_wal_size", "wal_compression", "shared_buffers", "autovacuum", "timezone")
        for name in names:
            with psycopg.connect(server.url()) as connection:
                found = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            assert found == (SERVER_SETTINGS[name],)
        assert query(server, "SHOW listen_addresses") == [("",)]
        assert query(server, "SHOW server_encoding") == [("UTF8",)]
        execute(server, "ALTER SYSTEM SET work_mem = '7MB'")
    with ensure(server_directory) as server:
        assert query(server, "SHOW work_mem") == [("7MB",)]


def test_a_setting_that_postgresql_refuses_is_told_with_its_words(cluster_directory: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"(?s)ended while starting.*invalid value.*max_connections"):
        ensure(cluster_directory, max_connections="many")
    with ensure(cluster_directory) as server:
        assert server.health().is_serving


def test_a_version_that_is_not_bundled_is_told(cluster_directory: Path) -> None:
    ensure(cluster_directory).stop()
    version = cluster_directory / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(EmbeddedServerError, match="has no PostgreSQL 14"):
        ensure(cluster_directory)


def test_no_secret_of_our_environment_travels_to_the_server(
    cluster_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODDS_DATABASE_URL", "postgresql://user:hush@nowhere/odds")
    with ensure(cluster_directory) as server:
        environment = server_process(server).environ()
    assert environment
    assert "hush" not in str(environment)


@as_root
def test_only_its_own_account_and_root_may_connect(cluster_directory: Path) -> None:
    with ensure(cluster_directory) as server:
        assert server_process(server).username() == "odds-pipeline"
        socket = next((cluster_directory / "postgres" / "socket").glob(".s.PGSQL.*[0-9]"))
        listed = subprocess.run(["stat", str(socket)], user=65534, group=65534, extra_groups=[], capture_output=True)
        assert b"Permission denied" in listed.stderr


@as_root
def test_the_mode_of_a_closed_parent_is_left_alone_and_told(server_directory: Path) -> None:
    closed = server_directory / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedServerError, match=r"odds-pipeline.*cannot enter it; set ODDS_DATA_DIR"):
        ensure(closed / "data")
    assert closed.stat().st_mode & 0o777 == 0o700
    assert not (closed / "data").exists()


@as_root
def test_an_ordinary_user_has_a_server_of_its_own(server_directory: Path) -> None:
    account = service_account()
    assert account is not None
    _skip_unless_programs_run_for(account)
    os.chown(server_directory, account.uid, account.gid)
    outcome = as_account(account, lambda: server_process(ensure(server_directory)).uids().effective)
    assert outcome == str(account.uid)
    with ensure(server_directory) as server:  # root joins it, and does not shut its owner out by that
        assert server_process(server).uids().effective == account.uid
    assert as_account(account, lambda: ensure(server_directory).health().is_serving) == "True"


@as_root
def test_an_ordinary_user_is_told_whose_the_cluster_is(cluster_directory: Path) -> None:
    nobody = account_of("nobody")
    for path in (cluster_directory, cluster_directory / "postgres"):
        path.chmod(0o777)
    outcome = as_account(nobody, lambda: ensure(cluster_directory))
    assert re.search("cluster belongs to the user id .* set ODDS_DATA_DIR", outcome)


def account_of(name: str) -> ServiceAccount:
    entry = pwd.getpwnam(name)
    return ServiceAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def as_account(account: ServiceAccount, action: Callable[[], object]) -> str:
    """What ``action`` returns, or the message of its error, in a process that was this one but belongs to ``account``.

    A fork, since the interpreter itself may be out of the account's reach.
    """
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            outcome = str(action())
        except BaseException as error:
            outcome = str(error)
        os.write(sending, outcome.encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as answer:
        outcome = answer.read()
    os.waitpid(child, 0)
    return outcome


def _skip_unless_programs_run_for(account: ServiceAccount) -> None:
    home = Path("/")
    try:
        bundled = find_programs(None, home=home, major=MAJOR_VERSION).directory
        Programs(bundled, account).run("postgres", "--version", cwd=home)
    except ProgramFailed:
        pytest.skip("the virtual environment is out of reach for other users than root")

"""How a command fails: one clear line on standard error, exit code 1, no traceback and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import typer
from pydantic import ValidationError


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn what the body raises into one line; an interruption ends quietly with the shell's usual code."""
    try:
        yield
    except ValidationError as error:
        problems = [
            (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in error.errors()
        ]
        details = "; ".join(f"{place}: {problem}" if place else problem for place, problem in problems)
        _fail(f"a setting is wrong: {details}")
    except psycopg.errors.DiskFull as error:
        _fail(f"the database's disk is full: {_first_line(error)}; make room on it and run this again")
    except psycopg.OperationalError as error:
        _fail(f"the database does not answer: {_first_line(error)}")
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        _fail(f"the database is not of this version: {_first_line(error)}; run odds-pipeline migrate")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except typer.Exit:
        raise
    except Exception as error:
        _fail(_first_line(error) or type(error).__name__)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _fail(message: str) -> None:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)

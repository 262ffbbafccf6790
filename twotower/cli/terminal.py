"""How commands speak: results on stdout, progress and one clear line of error on stderr."""

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from twotower.core.errors import TwoTowerError

DIFFERS = 1  # exit code where a check found what it should not
BAD_INPUT = 2  # exit code
STOPPED = 130  # exit code after Ctrl-C
QUIET_S = 1.0  # nothing is said of what takes no longer
READING_S = 5.0  # the same, while a file is read that may be none of ours
BETWEEN_S = 2.0  # between two lines, where lines can't be overwritten


class Commands(TyperGroup):
    """Commands whose bad input ends them with exit code 2 and one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            advice = f" See: {context.command_path} --help" if context else ""
            _fail(f"{error.format_message().rstrip('.')}.{advice}")
        except TwoTowerError as error:
            _fail(str(error))
        except OSError as error:
            if error.strerror is None:
                raise
            _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
        except (KeyboardInterrupt, typer.Abort):
            code = STOPPED
        if code == STOPPED:
            typer.echo("stopped", err=True)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {plain(message)}", err=True)
    sys.exit(BAD_INPUT)


class Progress:
    """Says on stderr how far something is: `with Progress() as tell: tell(0.5, "reading")`.

    Nothing in the first second; then one line that is overwritten and goes away at the end or,
    where stderr is no terminal, a line now and then. Every call must come from the same thread.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet_s: float = QUIET_S,  # where lines can't be overwritten
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._overwrites = self._stream.isatty()
        self._next = clock() + (QUIET_S if self._overwrites else quiet_s)
        self._width = 0  # of the line on the screen

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._width:
            self._stream.write(f"\r{'':{self._width}}\r")
            self._stream.flush()

    def __call__(self, share: float, text: str) -> None:
        """`share` is 0..1 of the whole."""
        now = self._clock()
        if now < self._next:
            return
        line = f"{min(max(share, 0.0), 1.0):4.0%}  {plain(text)}"
        if self._overwrites:
            self._stream.write(f"\r{line:{self._width}}")
            self._width = len(line)
            self._next = now + 0.1
        else:
            self._stream.write(f"{line}\n")
            self._next = now + BETWEEN_S
        self._stream.flush()


def show_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII, so that no name can harm a terminal or a pipe."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def plain(text: str) -> str:
    """`text` on one line and without control characters, fit for a terminal."""
    return "".join(_PLAIN.get(unicodedata.category(char), char) for char in text)


# by category: control, format, half character, line and paragraph separator
_PLAIN = {"Cc": " ", "Cf": "", "Cs": "", "Zl": " ", "Zp": " "}

"""Terminal output: results on stdout; progress and one line of error on stderr."""

import json as json_format
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from twotower.core.errors import TwoTowerError

# Exit codes.
CHECK_FAILED, BAD_INPUT, STOPPED = 1, 2, 130
QUIET_S = 1.0  # no progress for work that takes no longer
QUIET_READING_S = 5.0  # the same while files are read
REDRAW_S = 0.1  # between two states of a progress line on a terminal
BETWEEN_LINES_S = 2.0  # between two lines of progress in a log


class Commands(TyperGroup):
    """Command group that ends with exit code 2 and one line on stderr after bad input."""

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


class ProgressLine:
    """Progress on stderr: `with ProgressLine() as progress: progress(0.5, "reading")`.

    Prints nothing in the first second. On a terminal one line is redrawn, and cleared at the end;
    in a log a new line follows every two seconds. Call it from one thread only.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet_s: float = QUIET_S,  # in a log; on a terminal it is always QUIET_S
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._is_terminal = self._stream.isatty()
        self._next = clock() + (QUIET_S if self._is_terminal else quiet_s)
        self._width = 0  # of the line on the terminal, in characters

    def __enter__(self) -> "ProgressLine":
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
        """Show how much of the work is done, 0..1, and what is being done."""
        now = self._clock()
        if now < self._next:
            return
        line = f"{min(max(share, 0.0), 1.0):4.0%}  {plain(text)}"
        if self._is_terminal:
            self._stream.write(f"\r{line:{self._width}}")
            self._width = len(line)
            self._next = now + REDRAW_S
        else:
            self._stream.write(f"{line}\n")
            self._next = now + BETWEEN_LINES_S
        self._stream.flush()


def show_result(document: Any, text: str, *, json: bool) -> None:
    """Print a result, as JSON or as text."""
    if json:
        show_json(document)
    else:
        typer.echo(text)


def show_json(value: Any) -> None:
    """Print one JSON document, in ASCII so that no name can harm a terminal or a pipe."""
    typer.echo(json_format.dumps(value, indent=2, allow_nan=False))


def plain(text: str) -> str:
    """Return `text` on one line without control characters, safe for a terminal."""
    return "".join(_PLAIN.get(unicodedata.category(char), char) for char in text)


# Replacements by Unicode category: control, format, surrogate, line and paragraph separator.
_PLAIN = {"Cc": " ", "Cf": "", "Cs": "", "Zl": " ", "Zp": " "}

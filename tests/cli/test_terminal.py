"""Terminal output: exit codes, one line of error, progress."""

import io
import json

import pytest
import typer
from typer.testing import CliRunner

from twotower.cli.terminal import Commands, ProgressLine, plain, show_json
from twotower.core.errors import BadProfile


def run(problem: BaseException | None, *args: str) -> tuple[int, str, str]:
    """Return (exit code, stdout, stderr) of an app whose command `act` raises `problem`."""
    app = typer.Typer(cls=Commands, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command()
    def act(count: int = 1) -> None:
        if problem is not None:
            raise problem
        typer.echo(f"did it {count} times")

    @app.command()
    def other() -> None: ...

    result = CliRunner().invoke(app, list(args) or ["act"], prog_name="us")
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_success_ends_with_0():
    assert run(None, "act", "--count", "3") == (0, "did it 3 times\n", "")


def test_help_ends_with_0():
    code, out, err = run(None, "act", "--help")
    assert (code, err) == (0, "") and "--count" in out


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (BadProfile("plays must be above 0", where="p.jsonl line 3"), "p.jsonl line 3: plays must"),
        (BadProfile("two\nlines\x1b[31m"), "error: two lines [31m"),
        (PermissionError(13, "Permission denied", "out.jsonl"), "out.jsonl: Permission denied"),
        (OSError(28, "No space left on device"), "error: No space left on device"),
        (typer.TyperException("only hetrec has tags"), "error: only hetrec has tags."),
    ],
)
def test_bad_input_ends_with_2_and_one_line(problem: Exception, line: str):
    code, out, err = run(problem)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and err.endswith("\n") and line in err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["nothing"], "error: No such command 'nothing'. See: us --help\n"),
        (["act", "--cuont", "3"], "error: No such option: --cuont"),
        (["act", "--count", "many"], "error: Invalid value for '--count'"),
        (["act", "more"], "error: Got unexpected extra argument(s) (more). See: us act --help\n"),
    ],
)
def test_misuse_ends_with_2_and_one_line(args: list[str], line: str):
    code, out, err = run(None, *args)
    assert (code, out) == (2, "")
    assert err.startswith(line) and err.count("\n") == 1


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError())


def test_ctrl_c_ends_with_130_and_one_word():
    assert run(KeyboardInterrupt()) == (130, "", "stopped\n")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_silent_for_a_second():
    clock, stream = Clock(), io.StringIO()
    with ProgressLine(stream, clock=clock) as progress:
        for clock.now in (100.0, 100.5, 100.99):
            progress(0.5, "reading")
    assert stream.getvalue() == ""


def test_progress_in_a_log_can_begin_later():
    clock = Clock()
    log, screen = io.StringIO(), Screen()
    for stream in (log, screen):
        with ProgressLine(stream, quiet_s=5.0, clock=clock) as progress:
            for clock.now in (101.0, 104.9):
                progress(0.5, "reading")
        clock.now = 100.0
    assert log.getvalue() == ""
    assert "reading" in screen.getvalue()


def test_progress_in_a_log_is_a_line_every_two_seconds():
    clock, stream = Clock(), io.StringIO()
    with ProgressLine(stream, clock=clock) as progress:
        for clock.now in (101.0, 102.0, 103.5):
            progress((clock.now - 100) / 4, f"at {clock.now:g}")
    assert stream.getvalue() == " 25%  at 101\n 88%  at 103.5\n"


def test_progress_on_a_terminal_is_one_line_that_is_cleared():
    clock, stream = Clock(), Screen()
    with ProgressLine(stream, clock=clock) as progress:
        for clock.now, text in ((101.0, "a longer text"), (102.0, "short")):
            progress(2.0, text)
    first, second = "100%  a longer text", "100%  short"
    shown = f"\r{first}\r{second:{len(first)}}\r{'':{len(second)}}\r"
    assert stream.getvalue() == shown


def test_names_from_files_cannot_control_a_terminal():
    assert plain("Low\x1b[2J\n\u202eevil\u2028") == "Low [2J evil "
    assert plain("Sigur Rós 東京") == "Sigur Rós 東京"


def test_json_is_ascii_and_reads_back(capsys: pytest.CaptureFixture[str]):
    value = {"name": "Sigur Rós\x9b\ud800", "plays": 1.5}
    show_json(value)
    out = capsys.readouterr().out
    assert out.isascii() and json.loads(out) == value

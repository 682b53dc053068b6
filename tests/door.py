"""The command line, as a test knocks at it."""

from __future__ import annotations

from impasto.cli import main


def run(*arguments: object) -> int:
    """The exit status of a command."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0

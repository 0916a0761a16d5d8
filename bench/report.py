"""What was measured, as a table for people and a file for programs."""

from typing import Any

from msgspec import Struct, field


class Row(Struct, frozen=True):
    """One line of the table."""

    part: str
    measured: str
    value: str
    aim: str = ""
    met: bool | None = None
    """None: there is no aim, or nothing was measured."""
    failed: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    """Only for the result file."""


def skipped(part: str, measured: str, reason: Exception) -> Row:
    return Row(part, measured, f"skipped: {reason}")


def failed(part: str, measured: str, reason: Exception) -> Row:
    """Of a traceback the last line tells; the details have all of it."""
    last = str(reason).strip().splitlines()[-1]
    return Row(part, measured, f"failed: {last[:120]}", failed=True, details={"why": str(reason)})


def table(rows: list[Row]) -> str:
    cells = [("part", "measured", "value", "aim", "met")]
    cells += [(row.part, row.measured, row.value, row.aim, _met(row)) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [_line(line, widths) for line in cells]
    return "\n".join([lines[0], _line(tuple("-" * width for width in widths), widths), *lines[1:]])


def _met(row: Row) -> str:
    if row.met is None:
        return "FAILED" if row.failed else ""
    return "yes" if row.met else "NO"


def _line(line: tuple[str, ...], widths: list[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def thousands(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")

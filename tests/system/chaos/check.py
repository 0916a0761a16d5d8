"""Checks the history of a run again: `python -m tests.system.chaos.check FILE`."""

import sys
from pathlib import Path

from tests.system.chaos.history import read
from tests.system.chaos.rules import SHOWN_MAX, violations
from tests.system.chaos.story import Story, tell
from tests.system.chaos.summary import summary


def checked(path: Path) -> tuple[Story, dict[str, list[str]]]:
    story = tell(read(path))
    return story, violations(story)


def report(story: Story, found: dict[str, list[str]]) -> str:
    """The table, and what is against which rule."""
    lines = [summary(story), f"violations: {sum(map(len, found.values()))}"]
    for rule, texts in found.items():
        lines.append(f"  not so: {rule} ({len(texts)})")
        lines += [f"    {text}" for text in texts[:SHOWN_MAX]]
    return "\n".join(lines)


def main(path: str) -> int:
    story, found = checked(Path(path))
    print(report(story, found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

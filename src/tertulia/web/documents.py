"""Pages of docs/ that are generated from the code."""

import json
from pathlib import Path

from tertulia.model.events.reference import markdown


def read_examples(folder: Path) -> dict[str, object]:
    """Example envelopes by file name: one JSON file an event type, one a message subtype."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def write_reference(path: Path, examples_dir: Path) -> None:
    """Write the event reference (docs/events.md) with the examples of `examples_dir`."""
    path.write_text(markdown(read_examples(examples_dir)), "utf-8")

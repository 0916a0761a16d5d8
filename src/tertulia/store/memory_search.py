"""The search index in plain dicts, for tests and for trying things out."""

import unicodedata
from collections.abc import Sequence

from msgspec.structs import replace

from tertulia.model.ids import Position
from tertulia.model.indexing import Place, Text, TextChanges
from tertulia.model.words import MARK, SNIPPET_MAX, UNMARK, Term, places_of, snippet_of
from tertulia.ports.search import FoundText, Line, TextQuery

Span = tuple[int, int]


class MemorySearch:
    """SearchIndex."""

    def __init__(self) -> None:
        self._texts: dict[Place, Text] = {}
        self._epoch = ""
        self._upto: dict[Line, Position] = {None: Position(0)}

    async def begin(self, epoch: str, head: Position, line: Line = None) -> Position:
        if epoch != self._epoch or max(self._upto.values()) > head:
            self._texts.clear()
            self._epoch, self._upto = epoch, {None: Position(0)}
        return self._upto.get(line, self._upto[None])

    async def write(self, changes: TextChanges, upto: Position, line: Line = None) -> None:
        texts = self._texts
        for text in changes.said:
            texts.setdefault((text.conversation_id, text.event_id), text)
        for new in changes.changed:
            place = (new.conversation_id, new.event_id)
            old = texts.get(place)
            if old is not None and new.author in (None, old.author):
                texts[place] = replace(old, text=new.text)
        for place in changes.removed:
            texts.pop(place, None)
        for place in [place for place in texts if place[0] in changes.closed]:
            del texts[place]
        self._upto[line] = upto

    async def find(self, query: TextQuery) -> list[FoundText]:
        found = []
        for text in sorted(self._texts.values(), key=lambda each: each.position, reverse=True):
            is_asked = text.application_id == query.application_id and (
                query.conversations is None or text.conversation_id in query.conversations
            )
            if is_asked and (query.before is None or text.position < query.before):
                spans = [_found(text.text, term) for term in query.terms]
                if all(spans):
                    found.append(_shown(text, [span for each in spans for span in each]))
        return found[: query.limit]


def _found(text: str, term: Term) -> list[Span]:
    """Where a term stands in a text."""
    places = places_of(text)
    words = [_folded(text[start:end]) for start, end in places]
    wanted = [_folded(word) for word in term.words]
    size = len(wanted)
    return [
        (places[at][0], places[at + size - 1][1])
        for at in range(len(words) - size + 1)
        if _is(words[at : at + size], wanted, term.is_prefix)
    ]


def _is(words: Sequence[str], wanted: Sequence[str], is_prefix: bool) -> bool:
    if not is_prefix:
        return words == wanted
    return words[:-1] == wanted[:-1] and words[-1].startswith(wanted[-1])


def _folded(word: str) -> str:
    split = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in split if not unicodedata.combining(letter)).casefold()


def _shown(text: Text, spans: list[Span]) -> FoundText:
    spans.sort()
    start = max(spans[0][0] - 40, 0)
    marked, at = ["…"] if start else [""], start
    for begin, end in spans:
        if begin >= at and end - start < SNIPPET_MAX // 2:
            marked += [text.text[at:begin], MARK, text.text[begin:end], UNMARK]
            at = end
    marked.append(text.text[at : start + SNIPPET_MAX // 2])
    snippet = snippet_of("".join(marked))
    return FoundText(text.position, text.conversation_id, text.event_id, snippet)

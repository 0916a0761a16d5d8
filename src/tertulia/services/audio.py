"""Everything that is played, said, recorded, pressed and recognised: put together."""

from pathlib import Path

from msgspec import Struct

from tertulia.ports import Ids, Workers
from tertulia.ports.speech import Speech
from tertulia.services.conductor import Conductor
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.keys import Keys
from tertulia.services.legs import Legs
from tertulia.services.media import MediaFiles
from tertulia.services.recognition import Recognition
from tertulia.services.recordings import Library, Recordings
from tertulia.services.sounds import Downloads, Sounds


class Booth(Struct, frozen=True):
    """What audio is made and taken with."""

    workers: Workers
    speech: Speech
    downloads: Downloads
    scratch: Path
    """A folder for audio that is on its way, which media workers and speech engines see too."""
    errands: Errands
    ids: Ids


class Audio:
    def __init__(
        self, booth: Booth, *, conversations: Conversations, legs: Legs, media: MediaFiles
    ) -> None:
        self.keys = Keys(conversations=conversations, legs=legs)
        self.library = Library(media=media)
        self.sounds = Sounds(
            conversations=conversations, legs=legs, speech=booth.speech,
            downloads=booth.downloads, errands=booth.errands, scratch=booth.scratch,
        )  # fmt: skip
        self.recordings = Recordings(
            conversations=conversations, legs=legs, workers=booth.workers, speech=booth.speech,
            library=self.library, errands=booth.errands, ids=booth.ids, scratch=booth.scratch,
        )  # fmt: skip
        self.recognition = Recognition(
            conversations=conversations, legs=legs, speech=booth.speech, library=self.library,
            errands=booth.errands, ids=booth.ids, scratch=booth.scratch,
        )  # fmt: skip

    def conduct(self, conductor: Conductor) -> None:
        """Let the conductor call upon all of it."""
        for each in (self.sounds, self.recordings, self.keys):
            conductor.add(each.reactions, each.hearings)
        conductor.add({}, self.recognition.hearings)

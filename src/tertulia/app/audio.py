"""What a hub makes calls with: media workers, speech engines, downloads, answers, scratch."""

from pathlib import Path

from tertulia.app.answers import HttpAnswers
from tertulia.app.chance import RandomIds
from tertulia.app.downloads import Downloads
from tertulia.app.workers import MediaWorkers
from tertulia.dispatch.target import TargetGuard
from tertulia.media.link import SOCKET
from tertulia.ports import Clock
from tertulia.services.recordings import RECORDING
from tertulia.settings import Settings
from tertulia.speech.pool import SpeechPool


class AudioPorts:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        folder = settings.data.path
        self.scratch = folder / "audio"
        _tidy(self.scratch)
        self.workers = MediaWorkers(clock)
        self.speech = SpeechPool(settings.speech)
        guard = TargetGuard(settings.webhooks.allow_networks)
        self.downloads = Downloads(folder / "downloads", guard, settings.media)
        self.answers = HttpAnswers(settings.account, guard, clock=clock, ids=RandomIds())
        self._socket = folder / SOCKET

    async def listen(self) -> None:
        """From now on media workers find this hub."""
        await self.workers.listen(self._socket)

    async def close(self) -> None:
        self.answers.close()
        await self.downloads.close()
        await self.speech.close()
        await self.workers.close()


def _tidy(folder: Path) -> None:
    """What a killed hub left under way is of no use to anybody, but for its recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if not path.name.startswith(RECORDING):
            path.unlink()

"""Every service of a hub, with the ports that it needs."""

from tertulia.app.outside import Outside
from tertulia.services.announcements import Announcements
from tertulia.services.applications import Applications
from tertulia.services.cards import Cards
from tertulia.services.conversations import Conversations
from tertulia.services.events import Events
from tertulia.services.expiry import Expiry
from tertulia.services.following import Following
from tertulia.services.media import MediaFiles
from tertulia.services.members import Members
from tertulia.services.messages import Messages
from tertulia.services.search import Indexer, Search
from tertulia.services.users import Users
from tertulia.settings import Settings


class Services:
    def __init__(self, outside: Outside, settings: Settings) -> None:
        log = directory = outside.store
        clock, ids = outside.clock, outside.ids
        cards = Cards(directory)
        self.announcements = Announcements(outside.announcer.announce)
        self.users = Users(directory=directory, cards=cards, clock=clock, ids=ids)
        self.conversations = conversations = Conversations(
            log=log, directory=directory, announcer=self.announcements, cards=cards, clock=clock,
            ids=ids,
        )  # fmt: skip
        self.members = Members(
            conversations=conversations, users=self.users, directory=directory, ids=ids
        )
        self.media = MediaFiles(
            store=outside.media, directory=directory, conversations=conversations, clock=clock,
            ids=ids, upload_limit=settings.media.upload_limit, quota=settings.media.quota,
        )  # fmt: skip
        self.events = Events(conversations=conversations, media=self.media, log=log, ids=ids)
        self.messages = Messages(conversations=conversations, log=log)
        self.search = Search(
            index=outside.search, log=log, directory=directory, conversations=conversations
        )
        self.indexer = Indexer(index=outside.search, log=log, monotonic=outside.monotonic)
        self.applications = Applications(
            directory=directory, media=outside.media, clock=clock, ids=ids, smith=outside.smith
        )
        self.expiry = Expiry(directory=directory, log=log, conversations=conversations, clock=clock)
        self.following = Following(
            log=log, conversations=conversations, per_application=settings.limits.streams
        )
        self.announcements.add(self.following.hand_on)

"""Every service of a hub, with the ports that it needs."""

from tertulia.app.outside import Outside
from tertulia.services.announcements import Announcements
from tertulia.services.answering import Answering
from tertulia.services.applications import Applications
from tertulia.services.arrivals import Arrivals
from tertulia.services.audio import Audio, Booth
from tertulia.services.audiocontrol import AudioControl
from tertulia.services.callcontrol import CallControl
from tertulia.services.calls import Calls
from tertulia.services.cards import Cards
from tertulia.services.conductor import Conductor
from tertulia.services.connecting import Connecting
from tertulia.services.conversations import Conversations
from tertulia.services.couriers import Couriers
from tertulia.services.detecting import Detecting
from tertulia.services.dialling import Dialling
from tertulia.services.errands import Errands
from tertulia.services.events import Events
from tertulia.services.expiry import Expiry
from tertulia.services.following import Following
from tertulia.services.homecoming import Homecoming
from tertulia.services.house import House
from tertulia.services.keyhooks import KeyHooks
from tertulia.services.knocking import Knocking
from tertulia.services.legcontrol import LegControl
from tertulia.services.legs import Legs
from tertulia.services.media import MediaFiles
from tertulia.services.members import Members
from tertulia.services.messages import Messages
from tertulia.services.messaging import MessageControl
from tertulia.services.metering import Metering
from tertulia.services.openings import Openings
from tertulia.services.phones import Phones
from tertulia.services.pickup import Pickup
from tertulia.services.placement import Placement
from tertulia.services.reactions import CallReactions
from tertulia.services.recipients import MESSAGE, Recipients
from tertulia.services.rooms import Rooms
from tertulia.services.scripts import Scripts
from tertulia.services.search import Indexer, Search
from tertulia.services.sendings import Sendings
from tertulia.services.signalling import Signalling
from tertulia.services.strangers import Strangers
from tertulia.services.switchboard import Switchboard
from tertulia.services.timelines import Timelines
from tertulia.services.transfers import Transfers
from tertulia.services.users import Users
from tertulia.services.voicecalls import VoiceCalls
from tertulia.services.voicehooks import VoiceHooks
from tertulia.settings import Limits, Settings


class Services:
    def __init__(self, outside: Outside, settings: Settings) -> None:
        log = directory = outside.store
        clock, ids = outside.clock, outside.ids
        cards = Cards(directory)
        self.announcements = Announcements(outside.announcer.announce)
        self.users = Users(
            directory=directory, cards=cards, clock=clock, ids=ids, homes=outside.homes
        )
        self.conversations = conversations = Conversations(
            log=log, directory=directory, announcer=self.announcements, cards=cards, clock=clock,
            ids=ids, homes=outside.homes,
        )  # fmt: skip
        self.errands = errands = Errands()
        self._connect_calls(outside, settings.limits)
        legs = self.legs
        self.media = MediaFiles(
            store=outside.media, directory=directory, conversations=conversations, clock=clock,
            ids=ids, upload_limit=settings.media.upload_limit, quota=settings.media.quota,
        )  # fmt: skip
        booth = Booth(
            outside.workers, outside.speech, outside.downloads, outside.scratch, errands, ids
        )
        self.audio = Audio(booth, conversations=conversations, legs=legs, media=self.media)
        self.audio.conduct(self.conductor)
        self.audio_control = AudioControl(
            audio=self.audio, control=self.leg_control, legs=legs, conversations=conversations,
            ids=ids,
        )  # fmt: skip
        self.conductor.add(self.audio_control.reactions)
        self.events = Events(
            conversations=conversations, media=self.media, legs=legs, log=log, ids=ids
        )
        self.applications = Applications(
            directory=directory, media=outside.media, clock=clock, ids=ids, smith=outside.smith
        )
        self.expiry = Expiry(directory=directory, log=log, conversations=conversations, clock=clock)
        self._answer_calls(outside)
        self._carry_messages(outside, settings.account.api_key)
        self._come_home(outside)
        self._look_on(outside, settings.limits.streams)

    def _connect_calls(self, outside: Outside, limits: Limits) -> None:
        """Legs, and how they come into conversations."""
        directory, clock, ids = outside.store, outside.clock, outside.ids
        conversations, errands, patience = self.conversations, self.errands, outside.patience
        self.legs = legs = Legs(
            conversations=conversations, directory=directory, workers=outside.workers, clock=clock,
            per_application=limits.legs, per_user=limits.legs_per_user,
        )  # fmt: skip
        self.calls = calls = Calls(
            legs=legs, conversations=conversations, directory=directory, users=self.users,
            carrier=outside.telephony.carrier, clock=clock, errands=errands, patience=patience,
        )  # fmt: skip
        openings = Openings(
            legs=legs, calls=calls, clock=clock, ids=ids, errands=errands, patience=patience
        )
        self.signalling = Signalling(
            openings=openings, calls=calls, legs=legs, conversations=conversations, clock=clock,
            ids=ids, errands=errands, patience=patience,
        )  # fmt: skip
        self.leg_control = LegControl(
            openings=openings, calls=calls, legs=legs, conversations=conversations,
            directory=directory,
        )  # fmt: skip
        self.members = Members(
            conversations=conversations, users=self.users, directory=directory, ids=ids,
            clock=clock, calls=calls, signalling=self.signalling,
        )  # fmt: skip
        self.knocking = Knocking(
            calls=calls, legs=legs, conversations=conversations, members=self.members,
            clock=clock, ids=ids, errands=errands,
        )  # fmt: skip
        self.conductor = Conductor(
            log=outside.store, workers=outside.workers, errands=errands, homes=outside.homes
        )
        reactions = CallReactions(
            calls=calls, legs=legs, signalling=self.signalling, knocking=self.knocking
        )
        self.conductor.add(reactions.reactions, reactions.hearings)

    def _answer_calls(self, outside: Outside) -> None:
        """What becomes of calls to the application."""
        clock, ids, patience = outside.clock, outside.ids, outside.patience
        self.timelines = timelines = Timelines(clock)
        pickup = Pickup(calls=self.calls, carrier=outside.telephony.carrier)
        board = Switchboard(
            self.calls, self.legs, self.knocking, self.conversations, self.members,
            self.audio_control, self.errands, patience, outside.telephony, pickup, timelines,
        )  # fmt: skip
        self.hooks = hooks = VoiceHooks(
            answers=outside.answers, conversations=self.conversations,
            library=self.audio.library, errands=self.errands, clock=clock, patience=patience,
            timelines=timelines,
        )  # fmt: skip
        rooms = Rooms(board, hooks)
        self.dialling = dialling = Dialling(
            board, users=self.users, hooks=hooks, clock=clock, ids=ids
        )
        detecting = Detecting(
            calls=self.calls, legs=self.legs, hooks=hooks, errands=self.errands, ids=ids,
            timelines=timelines,
        )  # fmt: skip
        connecting = Connecting(board, dialling=dialling, detecting=detecting, hooks=hooks, ids=ids)
        self.scripts = scripts = Scripts(board, rooms=rooms, hooks=hooks, connecting=connecting)
        detecting.consult = scripts.learnt
        self.audio.keys.pass_on = connecting.pressed
        house = House(board, users=self.users, clock=clock, ids=ids)
        answering = Answering(
            board, directory=outside.store, ids=ids, hooks=hooks, rooms=rooms, scripts=scripts,
            house=house if outside.house else None,
        )  # fmt: skip
        transfers = Transfers(board, dialling=dialling, hooks=hooks, hand_over=scripts.hand_over)
        self.phones = Phones(
            board, users=self.users, dialling=dialling, answering=answering, transfers=transfers,
            keys=self.audio.keys, clock=clock, ids=ids,
        )  # fmt: skip
        self.voice_calls = VoiceCalls(
            board, dialling=dialling, detecting=detecting, hooks=hooks, scripts=scripts,
            answering=answering, control=self.leg_control, directory=outside.store,
        )  # fmt: skip
        self.keys = keys = KeyHooks(hooks=hooks, errands=self.errands)
        self.call_control = CallControl(
            calls=self.voice_calls, legs=self.legs, audio=self.audio_control, hooks=hooks,
            keys=keys, directory=outside.store, timelines=timelines,
        )  # fmt: skip
        reacting = (
            keys, hooks, rooms, dialling, detecting, connecting, scripts, house, timelines,
        )  # fmt: skip
        for each in reacting:
            self.conductor.add(each.reactions)
        for hearing in (dialling, detecting, scripts):
            self.conductor.add({}, hearing.hearings)
        self.knocking.decide = answering.knocked

    def _carry_messages(self, outside: Outside, api_key: str) -> None:
        """Messages beyond the app."""
        log = directory = records = outside.store
        clock, ids, messaging = outside.clock, outside.ids, outside.messaging
        conversations, errands = self.conversations, self.errands
        self.sendings = sendings = Sendings(
            conversations=conversations, log=log, records=records, directory=directory,
            clock=clock, ids=ids, monotonic=outside.monotonic, api_key=api_key,
        )  # fmt: skip
        self.couriers = couriers = Couriers(
            carriers=messaging.carriers, routes=messaging.routes, sendings=sendings,
            records=records, clock=clock, monotonic=outside.monotonic, errands=errands,
        )  # fmt: skip
        sendings.on_accepted = couriers.take
        self.recipients = Recipients(
            sendings=sendings, conversations=conversations, log=log, records=records,
            errands=errands,
        )  # fmt: skip
        self.conductor.add(self.recipients.reactions)
        self.conductor.announce(MESSAGE, self.recipients.announced)
        placement = Placement(conversations=conversations, records=records)
        self.strangers = Strangers(
            placement, conversations=conversations, members=self.members, users=self.users,
            directory=directory, records=records, answers=outside.answers, errands=errands,
        )  # fmt: skip
        self.strangers.rule = messaging.unknown
        self.arrivals = Arrivals(
            placement, self.strangers, sendings=sendings, couriers=couriers, records=records,
            routes=messaging.routes, clock=clock, ids=ids,
        )  # fmt: skip
        self.message_control = MessageControl(
            messaging, sendings=sendings, couriers=couriers, directory=directory
        )

    def _come_home(self, outside: Outside) -> None:
        self.homecoming = Homecoming(
            store=outside.store, conversations=self.conversations, users=self.users,
            calls=self.calls, conductor=self.conductor, couriers=self.couriers,
            recipients=self.recipients, strangers=self.strangers,
        )  # fmt: skip
        outside.homes.on_arrival(self.homecoming.arrived)
        outside.homes.on_departure(self.homecoming.departed)

    def _look_on(self, outside: Outside, streams: int) -> None:
        """What changes nothing; `streams` may follow an application at a time."""
        log = directory = outside.store
        conversations = self.conversations
        self.messages = Messages(conversations=conversations, log=log)
        self.search = Search(
            index=outside.search, log=log, directory=directory, conversations=conversations
        )
        self.indexer = Indexer(
            index=outside.search, log=log, homes=outside.homes, monotonic=outside.monotonic
        )
        self.homecoming.on_arrived = self.indexer.look
        self.following = Following(log=log, conversations=conversations, per_application=streams)
        self.announcements.add(self.following.hand_on)
        self.metering = Metering(
            legs=self.legs, conversations=conversations, per_application=streams
        )
        self.metering.conduct(self.conductor)

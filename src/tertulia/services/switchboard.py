"""What calls are handled with, by those who decide what becomes of them."""

from msgspec import Struct

from tertulia.services.audiocontrol import AudioControl
from tertulia.services.calls import Calls, Patience
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands
from tertulia.services.knocking import Knocking
from tertulia.services.legs import Legs
from tertulia.services.members import Members
from tertulia.services.pickup import Pickup
from tertulia.services.telephony import Telephony
from tertulia.services.timelines import Timelines


class Switchboard(Struct, frozen=True):
    calls: Calls
    legs: Legs
    knocking: Knocking
    conversations: Conversations
    members: Members
    audio: AudioControl
    errands: Errands
    patience: Patience
    telephony: Telephony
    pickup: Pickup
    timelines: Timelines

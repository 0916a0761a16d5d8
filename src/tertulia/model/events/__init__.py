"""The event catalogue: the registry, and one module a heading.

Importing the package fills the registry, in the order of the headings below.
"""

# isort: off
from tertulia.model.events import leg as leg
from tertulia.model.events import audio as audio
from tertulia.model.events import message as message
from tertulia.model.events import conversation as conversation
from tertulia.model.events import member as member
from tertulia.model.events import rtc as rtc
from tertulia.model.events import sip as sip
from tertulia.model.events import custom as custom
from tertulia.model.events import deletion as deletion
from tertulia.model.events import legacy as legacy
from tertulia.model.events import knocking as knocking
from tertulia.model.events import mixer as mixer
from tertulia.model.events import extensions as extensions
from tertulia.model.events import messaging as messaging
from tertulia.model.events import voicehook as voicehook
# isort: on

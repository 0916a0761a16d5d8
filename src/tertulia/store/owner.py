"""Who writes, where several may."""

from msgspec import Struct


class Owner(Struct, frozen=True):
    """The process that writes, in a cluster: which applications are at home with it is in the
    table `homes`."""

    node: str
    incarnation: str

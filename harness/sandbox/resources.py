"""What Cloud Controller keeps in its database: an organization, two spaces, some apps. Values, the same in every
sandbox of the same app; GUIDs come from names, so they outlive restarts. `present` shows them as the API does."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

ORG = "sandbox"
SPACE = "dev"  # the sandbox's own app is here
OTHER_SPACE = "staging"
AMBIGUOUS = "orders"  # an app of this name is in both spaces

_NAMESPACE = uuid.UUID("6f1c1f0e-6a34-4f6c-9d4e-0d8c7c1a5b11")
# Of the apps beside the sandbox's own: name, space, started, instances.
_OTHERS = (
    (AMBIGUOUS, SPACE, True, 2),
    ("catalogue", SPACE, True, 1),
    ("reports", SPACE, False, 1),
    (AMBIGUOUS, OTHER_SPACE, True, 1),
    ("billing", OTHER_SPACE, True, 1),
)


def guid_of(*words: str) -> str:
    """The GUID of a thing, by its kind and names."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(words)))


@dataclass(frozen=True)
class Org:
    """An organization."""

    name: str
    guid: str


@dataclass(frozen=True)
class Space:
    """A space of one organization."""

    name: str
    guid: str
    org: Org


@dataclass(frozen=True)
class App:
    """An app with its one process, its route and its droplet."""

    name: str
    guid: str  # its web process has the same, as in Cloud Controller
    space: Space
    started: bool
    instances: int
    real: bool  # its instances are processes of the sandbox

    def guid_of(self, kind: str) -> str:
        """Of what belongs to it: route, droplet, deployment, revision."""
        return guid_of(kind, self.space.name, self.name)


@dataclass(frozen=True)
class World:
    """All that somebody may see."""

    orgs: tuple[Org, ...]
    spaces: tuple[Space, ...]
    apps: tuple[App, ...]


NOTHING = World((), (), ())
"""What a user without a role sees."""


def make_world(app: str, instances: int) -> World:
    """The sandbox's app and its surroundings."""
    org = Org(ORG, guid_of("org", ORG))
    spaces = {name: Space(name, guid_of("space", name), org) for name in (SPACE, OTHER_SPACE)}
    own = _app(app, spaces[SPACE], True, instances, real=True)
    return World((org,), tuple(spaces.values()), (own, *_others(app, spaces)))


def _others(own: str, spaces: dict[str, Space]) -> Iterable[App]:
    for name, space, started, instances in _OTHERS:
        if (name, space) != (own, SPACE):
            yield _app(name, spaces[space], started, instances, real=False)


def _app(name: str, space: Space, started: bool, instances: int, real: bool) -> App:
    return App(name, guid_of("app", space.name, name), space, started, instances, real)

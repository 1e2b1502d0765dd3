"""Names to GUIDs, before the run: what is not there, or there more than once, is told with what there is."""

import difflib
from collections.abc import Iterable

import msgspec

from harness.cf.api import Api
from harness.cf.shapes import App, Named
from harness.cf.target import Asked

_SHOWN = 5  # names in a message


class Unresolved(Exception):
    """A name that stands for nothing, or for several; its text says what to do."""


def resolved(api: Api, asked: Asked, *, needs_app: bool) -> Asked:
    """With the GUIDs of the organization, the space and the app that it names. Raises Unresolved, Failed."""
    if asked.org is not None and asked.org_guid is None:
        asked = msgspec.structs.replace(asked, org_guid=_organization(api, asked.org).guid)
    if asked.space is not None and asked.space_guid is None:
        asked = msgspec.structs.replace(asked, space_guid=_space(api, asked).guid)
    if needs_app and asked.app is not None and asked.app_guid is None:
        app = _app(api, asked)
        asked = msgspec.structs.replace(
            asked, app_guid=app.guid, space_guid=asked.space_guid or app.relationships.space.guid
        )
    return asked


def sees_a_space(api: Api) -> bool:
    """Whoever has a role in no space sees none."""
    return bool(api.resources("spaces", "/v3/spaces", Named, order_by="name", per_page=100))


def _organization(api: Api, name: str) -> Named:
    found = api.resources("organizations", "/v3/organizations", Named, names=[name])
    if found:
        return found[0]
    there = api.resources("organizations", "/v3/organizations", Named, per_page=5000)
    raise Unresolved(f"there is no organization {name!r} that this identity can see: {_near(name, there)}")


def _space(api: Api, asked: Asked) -> Named:
    assert asked.space is not None
    within = [asked.org_guid] if asked.org_guid else None
    found = api.resources("spaces", "/v3/spaces", Named, names=[asked.space], organization_guids=within)
    if len(found) == 1:
        return found[0]
    if found:
        raise Unresolved(f"{len(found)} organizations have a space {asked.space!r}: say which (`org`)")
    there = api.resources("spaces", "/v3/spaces", Named, organization_guids=within, per_page=5000)
    raise Unresolved(f"there is no space {asked.space!r} that this identity can see: {_near(asked.space, there)}")


def _app(api: Api, asked: Asked) -> App:
    assert asked.app is not None
    within = [asked.space_guid] if asked.space_guid else None
    found = api.resources("apps", "/v3/apps", App, names=[asked.app], space_guids=within, per_page=5000)
    if asked.org_guid is not None and asked.space_guid is None:
        spaces = {one.guid for one in api.resources("spaces", "/v3/spaces", Named, organization_guids=[asked.org_guid])}
        found = [app for app in found if app.relationships.space.guid in spaces]
    if len(found) == 1:
        return found[0]
    if found:
        guids = [guid for app in found if (guid := app.relationships.space.guid)]
        spaces_of = api.resources("spaces", "/v3/spaces", Named, guids=guids, per_page=5000) if guids else []
        names = ", ".join(sorted(space.name for space in spaces_of)) or f"{len(found)} spaces"
        raise Unresolved(f"the app {asked.app!r} is in several spaces ({names}): say which (`space`)")
    there = api.resources("apps", "/v3/apps", App, space_guids=within, per_page=5000)
    where = f" in the space {asked.space!r}" if asked.space else ""
    raise Unresolved(f"there is no app {asked.app!r}{where} that this identity can see: {_near(asked.app, there)}")


def _near(name: str, there: Iterable[Named | App]) -> str:
    """The name that may have been meant, or some that there are."""
    names = sorted({one.name for one in there})
    folded = {one.casefold(): one for one in names}
    close = difflib.get_close_matches(name.casefold(), folded, 1, 0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if not names:
        return "it sees none at all"
    return "there are " + ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")

"""Lists as the API gives them: filtered, ordered, and a page at a time. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from harness.sandbox.cc_errors import ApiError
from harness.sandbox.present import Json

_PER_PAGE = 50
_MOST = 5000
_PAGING = ("page", "per_page", "order_by")

Query = Mapping[str, str]
Key = Callable[[Any], str]


@dataclass(frozen=True)
class Listed:
    """A kind of list: its filters by parameter, its orders by name, and what else it may be asked for."""

    show: Callable[[Any], Json]
    filters: Mapping[str, Key]
    orders: Mapping[str, Key]
    words: Mapping[str, tuple[str, ...]]  # parameter -> what it may be told, such as embed


def parse_query(target: bytes) -> dict[str, str]:
    """Of a request's target; what stands twice counts once, the last."""
    return dict(parse_qsl(target.partition(b"?")[2].decode("latin-1"), keep_blank_values=True))


def page_of(kind: Listed, items: Sequence[Any], url: str, query: Query, endless: bool) -> Json:
    """One page. `url` is the list's own; `endless`: the next page is always this one. Raises ApiError."""
    _check(kind, query)
    found = [item for item in items if _wanted(kind, item, query)]
    order = query.get("order_by", "created_at")
    key = kind.orders.get(order.lstrip("+-"))
    if key is None:
        raise ApiError("CF-BadQueryParameter", f"Order by can only be: {', '.join(kind.orders)}")
    found.sort(key=key, reverse=order.startswith("-"))
    page, size = _number(query, "page", 1, 1 << 31), _number(query, "per_page", _PER_PAGE, _MOST)
    last = max(1, -(-len(found) // size))

    def link(number: int) -> Json:
        return {"href": f"{url}?{urlencode({**query, 'page': number, 'per_page': size})}"}

    return {
        "pagination": {
            "total_results": len(found),
            "total_pages": last,
            "first": link(1),
            "last": link(last),
            "next": link(page) if endless else link(page + 1) if page < last else None,
            "previous": link(page - 1) if 1 < page <= last else None,
        },
        "resources": [kind.show(item) for item in found[(page - 1) * size : page * size]],
    }


def _check(kind: Listed, query: Query) -> None:
    known = (*_PAGING, *kind.filters, *kind.words)
    unknown = [name for name in query if name not in known]
    if unknown:
        names, valid = (", ".join(f"'{name}'" for name in some) for some in (unknown, sorted(known)))
        raise ApiError("CF-BadQueryParameter", f"Unknown query parameter(s): {names}. Valid parameters are: {valid}")
    for name, choices in kind.words.items():
        if name in query and query[name] not in choices:
            raise ApiError("CF-BadQueryParameter", f"Invalid {name}ded resource: '{query[name]}'")


def _wanted(kind: Listed, item: object, query: Query) -> bool:
    return all(key(item) in query[name].split(",") for name, key in kind.filters.items() if name in query)


def _number(query: Query, name: str, usual: int, most: int) -> int:
    text = query.get(name, str(usual))
    if not (text.isdecimal() and text.isascii()) or not 1 <= int(text[:12]) <= most:
        words = name.replace("_", " ").capitalize()
        raise ApiError("CF-BadQueryParameter", f"{words} must be between 1 and {most}")
    return int(text)

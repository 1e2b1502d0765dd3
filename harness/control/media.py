"""Content types: whether a client takes ours, and whether its body is JSON (RFC 9110 §8.3, §12.5.1). Pure."""

JSON = "application/json"


def takes(accept: str | None, media: str) -> bool:
    """Whether an Accept header allows a media type. What can't be read is passed over; nothing readable allows all."""
    kind = media.partition("/")[0]
    ranks = {"*/*": 0, f"{kind}/*": 1, media: 2}
    best, allowed, readable = -1, False, False
    for text in (accept or "").split(","):
        name, *parameters = [part.strip().lower() for part in text.split(";")]
        if name.count("/") != 1:
            continue
        readable = True
        rank = ranks.get(name, -1)
        if rank > best:
            best, allowed = rank, _quality(parameters) > 0
    return allowed or not readable


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


def is_json(content_type: str | None) -> bool:
    """Whether a body with that Content-Type is JSON as we read it: UTF-8."""
    name, *parameters = [part.strip().lower() for part in (content_type or "").split(";")]
    charsets = {part.partition("=")[2].strip().strip('"') for part in parameters if part.startswith("charset")}
    return name == JSON and charsets <= {"utf-8", "utf8"}

"""Take the content out of a data: URL."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from tqimap_processor import mime
from tqimap_processor.artefact import Child


def child(url: str, name: str) -> Child | None:
    """Return what *url* carries as a child called *name*, or nothing if it carries nothing."""
    head, comma, payload = url.partition(",")
    if not comma or not payload:
        return None
    media, *parameters = head[len("data:") :].split(";")
    words = [word.strip().lower() for word in parameters]
    data = unquote_to_bytes(payload)
    if "base64" in words:
        data = mime.decode_base64(data)
    charset = next((word[8:] for word in words if word.startswith("charset=")), "")
    return Child(
        name,
        data,
        "data-url",
        media.strip().lower() or "text/plain",
        parameters=(("charset", charset),) if charset else (),
    )

"""While the editor's popup has an item selected, ghost text must go on from that item."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def require_selected_item(text: str, place: Place) -> str:
    """Return nothing when the text would contradict the popup's selected item."""
    return text if text.startswith(place.selected) else ""

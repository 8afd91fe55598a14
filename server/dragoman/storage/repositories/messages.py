"""What a message of a conversation is, and how it lies in its row and in a line of an export."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from dragoman.storage.repositories import fields
from dragoman.storage.types import storable, utc

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

MessageRole = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(MessageRole)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture of a message: either its bytes, or the identifier of the artifact that holds them."""

    media_type: str
    data: bytes | None = field(default=None, repr=False)
    artifact: str | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.artifact is None):
            raise ValueError("a picture is either bytes or an artifact")


@dataclass(frozen=True, slots=True)
class StoredToolCall:
    """A tool call that an assistant asked for; ``arguments`` is the text that the model wrote."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be kept; ``created_at`` is the moment of keeping it where it is None."""

    role: MessageRole
    content: str
    images: tuple[StoredImage, ...] = ()
    tool_calls: tuple[StoredToolCall, ...] = ()
    tool_call_id: str | None = None
    tokens: int | None = None
    model: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is kept: ``seq`` counts from 1 within its conversation and is never used again.

    An archived message is out of the conversation's context and still there.
    Texts hold U+FFFD where they came with NUL or half a surrogate pair, which no database keeps.
    """

    conversation_id: str
    seq: int
    role: MessageRole
    content: str
    images: tuple[StoredImage, ...]
    tool_calls: tuple[StoredToolCall, ...]
    tool_call_id: str | None
    tokens: int | None
    model: str | None
    created_at: datetime
    archived_at: datetime | None


_KEYS = frozenset(Message.__dataclass_fields__) - {"conversation_id"}


def as_row(conversation_id: str, seq: int, message: NewMessage, moment: datetime) -> dict[str, Any]:
    """Return the message's row; raises ValueError for a role that is none."""
    if message.role not in ROLES:
        raise ValueError(f"{message.role!r} is no role; there are {', '.join(ROLES)}")
    return {
        "conversation_id": conversation_id,
        "seq": seq,
        "role": message.role,
        "content": storable(message.content),
        "images": [_image_as_data(image) for image in message.images],
        "tool_calls": [
            {"id": storable(call.id), "name": storable(call.name), "arguments": storable(call.arguments)}
            for call in message.tool_calls
        ],
        "tool_call_id": None if message.tool_call_id is None else storable(message.tool_call_id),
        "tokens": message.tokens,
        "model": None if message.model is None else storable(message.model),
        "created_at": utc(message.created_at or moment),
        "archived_at": None,
    }


def from_row(row: RowMapping | Mapping[str, Any]) -> Message:
    """Return the message of a row."""
    return Message(
        **{
            **{name: row[name] for name in Message.__dataclass_fields__},
            "images": tuple(_image_from_data(image) for image in row["images"]),
            "tool_calls": tuple(StoredToolCall(**call) for call in row["tool_calls"]),
        }
    )


def as_data(message: Message) -> dict[str, Any]:
    """Return the message as an object for JSON, without its conversation; what says nothing is left out."""
    data: dict[str, Any] = {
        "seq": message.seq,
        "role": message.role,
        "content": message.content,
        "images": [_image_as_data(image) for image in message.images],
        "tool_calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls],
        "tool_call_id": message.tool_call_id,
        "tokens": message.tokens,
        "model": message.model,
        "created_at": message.created_at.isoformat(),
        "archived_at": None if message.archived_at is None else message.archived_at.isoformat(),
    }
    return {name: value for name, value in data.items() if value not in (None, [])}


def row_from_data(conversation_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of what `as_data` wrote; raises ValueError that says which part is wrong."""
    fields.only(data, _KEYS)
    seq = fields.whole(data, "seq", least=1)
    assert seq is not None
    message = NewMessage(
        role=cast("MessageRole", fields.text(data, "role")),
        content=fields.text(data, "content"),
        images=tuple(_image_from_data(image) for image in fields.objects(data, "images")),
        tool_calls=tuple(
            StoredToolCall(fields.text(call, "id"), fields.text(call, "name"), fields.text(call, "arguments"))
            for call in fields.objects(data, "tool_calls")
        ),
        tool_call_id=fields.text_or_none(data, "tool_call_id"),
        tokens=fields.whole(data, "tokens", least=0, needed=False),
        model=fields.text_or_none(data, "model"),
    )
    row = as_row(conversation_id, seq, message, fields.moment(data, "created_at"))
    return {**row, "archived_at": fields.moment_or_none(data, "archived_at")}


def _image_as_data(image: StoredImage) -> dict[str, Any]:
    if image.artifact is not None:
        return {"media_type": storable(image.media_type), "artifact": storable(image.artifact)}
    return {"media_type": storable(image.media_type), "data": base64.b64encode(image.data or b"").decode("ascii")}


def _image_from_data(data: Mapping[str, Any]) -> StoredImage:
    media_type, text, artifact = data.get("media_type"), data.get("data"), data.get("artifact")
    if not isinstance(media_type, str) or not isinstance(artifact, str | None) or not isinstance(text, str | None):
        raise ValueError("'images' holds something that is no picture")  # noqa: TRY004 - what is in a file
    try:
        return StoredImage(media_type, None if text is None else base64.b64decode(text, validate=True), artifact)
    except binascii.Error:
        raise ValueError("'images' holds a picture that is not base64") from None

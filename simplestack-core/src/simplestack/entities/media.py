"""The CD drive."""

from typing import Annotated

from msgspec import Meta, Struct


class Media(Struct, frozen=True, kw_only=True):
    """What is in the drive."""

    #: Name of the ISO image; null when the drive is empty or there is none.
    name: str | None


class MediaRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to put into the drive."""

    #: Name of the ISO image; null or an empty string ejects.
    name: Annotated[str, Meta(max_length=1024, pattern=r"\A[^\x00-\x1f\x7f]*\Z")] | None

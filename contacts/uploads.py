"""Receive a file without it ever touching a disk in the clear: each piece is sealed as it arrives."""

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from contacts.chunks import SOURCE, Box, new_import
from contacts.csvfile import EncodingWatch
from contacts.errors import BadFile
from contacts.models import Import

#: Bytes of one sealed piece.
PIECE = 1 << 20


def max_bytes() -> int:
    """Largest file taken, from IMPORT_MAX_BYTES; a million rows of forty columns fit."""
    return int(getattr(settings, "IMPORT_MAX_BYTES", 512 << 20))


class SealedUpload(UploadedFile):  # type: ignore[type-arg]
    """Stands in request.FILES for a file whose content is already sealed; cannot be read from here."""

    def __init__(self, owner: Import, **kwargs: Any) -> None:
        super().__init__(file=None, **kwargs)
        self.owner = owner


class SealingUploadHandler(FileUploadHandler):
    """Writes the first file of a request into ImportChunks.

    Put it alone into `request.upload_handlers`, inside a transaction. After parsing, `owner` is the import (None: no
    file came) and `problem` a refusal to show.
    """

    chunk_size = PIECE

    def __init__(self, request: Any, *, created_by: Any) -> None:
        super().__init__(request)
        self.created_by = created_by
        self.owner: Import | None = None
        self.problem: BadFile | None = None
        self._buffer = bytearray()
        self._watch = EncodingWatch()
        self._position = self._size = self._announced = 0
        self._box: Box | None = None

    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        self._announced = content_length

    def _refuse_size(self) -> None:
        self.problem = BadFile(
            f"The file is larger than {max_bytes() >> 20} MB. Cut it into several files and import one after the other."
        )
        raise StopUpload(connection_reset=False)

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._announced > max_bytes() + PIECE:
            self._refuse_size()
        if self.owner is None:
            self.owner = new_import(created_by=self.created_by, file_name=(self.file_name or "")[-200:])
            self.owner.save(force_insert=True)
            self._box = Box(self.owner)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self._size += len(raw_data)
        if self._size > max_bytes():
            self._refuse_size()
        self._watch.feed(raw_data)
        self._buffer += raw_data
        while len(self._buffer) >= PIECE:
            self._flush(PIECE)
        return None

    def _flush(self, size: int) -> None:
        assert self._box is not None
        self._box.put(SOURCE, self._position, bytes(self._buffer[:size]))
        del self._buffer[:size]
        self._position += 1

    def file_complete(self, file_size: int) -> SealedUpload:
        if self._buffer:
            self._flush(len(self._buffer))
        assert self.owner is not None
        try:
            self.owner.encoding = self._watch.verdict()
        except BadFile as problem:
            self.problem = problem
        return SealedUpload(self.owner, name=self.file_name, size=file_size, content_type=self.content_type)

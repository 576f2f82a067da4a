"""Multipart uploads: hashed as they are read, checked by S3 as they arrive, resumed after a sudden death.

One reader hands out the parts in order, so that the file's SHA-256 is that of the very bytes which are sent.
Each part carries its own SHA-256, and so does the list of parts that completes the upload.
"""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lifecycle.adapters.aws.begun import Begun
from lifecycle.adapters.aws.crew import WIDTH, Crew, Stop
from lifecycle.adapters.aws.session import DENIED, answers, code_of
from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.ports.checkpoints import Digest, Moved

PART = 16 * 1024 * 1024
MOST_PARTS = 10_000
"""S3 takes no more in one upload."""

_MISSING = frozenset({"404", "NoSuchKey"})


class Place(NamedTuple):
    """An object, there or yet to be."""

    client: Any
    bucket: Mapping[str, str]
    """The parameters that name the bucket in every call."""
    key: str

    def call(self, operation: str, **parameters: Any) -> Any:
        """One call about this object. Raises what botocore raises."""
        return getattr(self.client, operation)(**self.bucket, Key=self.key, **parameters)

    def lacks(self, error: ClientError) -> bool:
        """Whether a read failed because there is no such object.

        To those who may list only below a prefix S3 says "denied" for "missing"; what is listed there decides.
        Source: Amazon S3's API reference, GetObject, "Permissions".
        """
        if code_of(error) in _MISSING:
            return True
        if code_of(error) not in DENIED:
            return False
        listed = self.client.list_objects_v2(**self.bucket, Prefix=self.key, MaxKeys=1).get("Contents", ())
        return self.key not in {found["Key"] for found in listed}


class Part(NamedTuple):
    """A part that S3 holds."""

    number: int
    size: int
    sha256: bytes
    etag: str


def part_size(size: int) -> int:
    """The bytes per part of a file of this size: the same at every try, and never more than 10,000 parts."""
    return max(PART, -(-size // MOST_PARTS))


def checksum(digest: bytes) -> str:
    """A digest as S3 writes it."""
    return b64encode(digest).decode()


def upload(place: Place, pieces: Iterable[bytes], moved: Moved, begun: Begun) -> Digest:
    """Stores the pieces as one object.

    Raises Unreadable when S3 does not answer: the next try goes on from the parts that arrived. Whatever else
    is raised, by `moved` or by the reader, ends the upload and drops its parts, if S3 answers.
    """
    this = _found(place, begun) or _new(place, begun)
    try:
        digest, parts = this.send(pieces, moved)
        this.complete(parts)
    except SteadyError:
        raise
    except BaseException:
        with suppress(SteadyError):
            abort(place, this.id)
            begun.forget(place.key)
        raise
    begun.forget(place.key)
    return digest


def abort(place: Place, upload_id: str) -> None:
    """Drops an upload and its parts; one that has ended meanwhile is fine."""
    with answers("S3"):
        try:
            place.call("abort_multipart_upload", UploadId=upload_id)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise


def _new(place: Place, begun: Begun) -> _Upload:
    with answers("S3"):
        upload_id = place.call("create_multipart_upload", ChecksumAlgorithm="SHA256")["UploadId"]
    begun.note(place.key, upload_id)
    return _Upload(place, upload_id, {})


def _found(place: Place, begun: Begun) -> _Upload | None:
    """The upload of this object that was begun before, with what S3 holds of it; None when it has ended."""
    upload_id = begun.id_of(place.key)
    if upload_id is None:
        return None
    pages = place.client.get_paginator("list_parts").paginate(**place.bucket, Key=place.key, UploadId=upload_id)
    with answers("S3"):
        try:
            held = {part["PartNumber"]: part for page in pages for part in page.get("Parts", ())}
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise
            return None
    return _Upload(place, upload_id, held)


class _Upload(NamedTuple):
    place: Place
    id: str
    held: dict[int, dict[str, Any]]
    """Parts from an earlier try, as S3 lists them."""

    def send(self, pieces: Iterable[bytes], moved: Moved) -> tuple[Digest, list[Part]]:
        """Reads, hashes and sends; at most `WIDTH` pieces are in memory. Returns the parts in order."""
        whole, parts = hashlib.sha256(), list[Part]()

        def land(crew: Crew[Part]) -> None:
            parts.append(crew.next())
            moved(parts[-1].size)

        with Crew[Part](lambda: moved(0)) as crew:
            for number, piece in enumerate(pieces, 1):
                crew.begin(partial(self._send, number, piece))
                whole.update(piece)
                del piece
                if crew.under_way == WIDTH:
                    land(crew)
            while crew.under_way:
                land(crew)
        parts.sort()
        return Digest(sum(part.size for part in parts), whole.hexdigest()), parts

    def complete(self, parts: list[Part]) -> None:
        """Makes the object of its parts. A repeat of a call whose answer was lost is told by the object."""
        digests = hashlib.sha256(b"".join(part.sha256 for part in parts)).digest()
        composite = f"{checksum(digests)}-{len(parts)}"
        listed = [
            {"PartNumber": part.number, "ETag": part.etag, "ChecksumSHA256": checksum(part.sha256)}
            for part in parts
        ]
        try:
            with answers("S3"):
                self.place.call(
                    "complete_multipart_upload",
                    UploadId=self.id,
                    MultipartUpload={"Parts": listed},
                    ChecksumSHA256=composite,
                )
        except Unreadable:
            if not self._is_there(composite):
                raise

    def _send(self, number: int, piece: bytes, stop: Stop) -> Part:
        digest = hashlib.sha256(piece).digest()
        held = self.held.get(number)
        if held is not None and _same(held, piece, digest):
            return Part(number, len(piece), digest, held["ETag"])
        with answers("S3"):
            sent = self.place.call(
                "upload_part",
                UploadId=self.id,
                PartNumber=number,
                Body=_Body(piece, stop.check),
                ChecksumSHA256=checksum(digest),
            )
        return Part(number, len(piece), digest, sent["ETag"])

    def _is_there(self, composite: str) -> bool:
        """Whether the object consists of just these parts."""
        with answers("S3"):
            try:
                found = self.place.call("head_object", ChecksumMode="ENABLED").get("ChecksumSHA256", "")
            except ClientError as error:
                if not self.place.lacks(error):
                    raise
                return False
        return bool(found) and composite in (found, f"{found}-{composite.rpartition('-')[2]}")


def _same(held: dict[str, Any], piece: bytes, digest: bytes) -> bool:
    """Whether a part that S3 holds is this piece; by its ETag, an MD5, where the service tells no SHA-256."""
    if held["Size"] != len(piece):
        return False
    if "ChecksumSHA256" in held:
        return bool(held["ChecksumSHA256"] == checksum(digest))
    return bool(held["ETag"].strip('"') == hashlib.md5(piece, usedforsecurity=False).hexdigest())


class _Body(io.BytesIO):
    """A piece on its way, which breaks off when the transfer is given up."""

    def __init__(self, piece: bytes, check: Callable[[], None]) -> None:
        super().__init__(piece)
        self._check = check

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return super().read(size)

"""Checkpoints in S3: whole or absent, checked by SHA-256 on arrival, uploads resumed after a sudden death."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.adapters.aws.begun import Begun
from lifecycle.adapters.aws.downloads import beginning, download, whole
from lifecycle.adapters.aws.session import answers, code_of
from lifecycle.adapters.aws.uploads import PART, Place, abort, checksum, part_size, upload
from lifecycle.model.errors import Conflict
from lifecycle.ports.checkpoints import Digest, Moved
from lifecycle.system.files import open_itself

BATCH = 1000
"""S3 removes no more in one call."""

_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
"""How S3 says that a conditional write lost."""


class S3Store:
    """Implements `ports.checkpoints.ObjectStore` in one bucket, below a prefix.

    Large files travel in parts, eight at a time.
    """

    def __init__(
        self, client: Any, bucket: str, prefix: str = "", *, owner: str | None = None, begun: Path | None = None
    ) -> None:
        """With `owner`, an account id, S3 refuses every call when the bucket is not that account's.

        With `begun`, a directory, an upload that failed or was cut short by a sudden death is gone on with by
        the next `put_file` of its key, of this process or another one with this directory.
        """
        self._client, self._begun = client, Begun(begun)
        self._bucket = {"Bucket": bucket, **({"ExpectedBucketOwner": owner} if owner else {})}
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        with open_itself(source) as file:
            size = os.fstat(file.fileno()).st_size
            if size < PART:
                return self._put_small(key, file.read(), moved)
            return upload(self._place(key), iter(partial(file.read, part_size(size)), b""), moved, self._begun)

    def put_new(self, key: str, data: bytes) -> None:
        token = secrets.token_hex(16)
        if not self._created(key, data, token) and not self._is_ours(key, token):
            raise Conflict(f"object {key} exists already", fix="read it")

    def get(self, key: str) -> bytes | None:
        return whole(self._place(key))

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        first = beginning(self._place(key))
        if first is None:
            return None
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                digest = download(self._place(key), first, file.fileno(), moved)
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        return digest

    def keys(self, prefix: str) -> Sequence[str]:
        with answers("S3"):
            found = [entry["Key"] for entry in self._listed("list_objects_v2", "Contents", prefix)]
        return sorted(key.removeprefix(self._prefix) for key in found)

    def remove(self, keys: Sequence[str]) -> None:
        names = [self._prefix + key for key in dict.fromkeys(keys)]
        for start in range(0, len(names), BATCH):
            self._remove(names[start : start + BATCH])

    def abort_stale(self, prefix: str, age: float) -> int:
        before = time.time() - age
        with answers("S3"):
            listed = list(self._listed("list_multipart_uploads", "Uploads", prefix))
        stale = [entry for entry in listed if entry["Initiated"].timestamp() < before]
        for entry in stale:
            abort(Place(self._client, self._bucket, entry["Key"]), entry["UploadId"])
        return len(stale)

    def _place(self, key: str) -> Place:
        return Place(self._client, self._bucket, self._prefix + key)

    def _put_small(self, key: str, data: bytes, moved: Moved) -> Digest:
        """One call that cannot be taken back: `moved` has its say before."""
        digest = hashlib.sha256(data)
        moved(len(data))
        with answers("S3"):
            self._place(key).call("put_object", Body=data, ChecksumSHA256=checksum(digest.digest()))
        return Digest(len(data), digest.hexdigest())

    def _created(self, key: str, data: bytes, token: str) -> bool:
        with answers("S3"):
            try:
                self._place(key).call(
                    "put_object",
                    Body=data,
                    ChecksumSHA256=checksum(hashlib.sha256(data).digest()),
                    IfNoneMatch="*",
                    Metadata={"token": token},
                )
            except ClientError as error:
                if code_of(error) not in _LOST:
                    raise
                return False
        return True

    def _is_ours(self, key: str, token: str) -> bool:
        """Whether our own first try went through: the SDK repeats a call whose answer was lost."""
        with answers("S3"):
            place = self._place(key)
            try:
                found = place.call("head_object")
            except ClientError as error:
                if not place.lacks(error):
                    raise
                return False
        return bool(found["Metadata"].get("token") == token)

    def _listed(self, operation: str, what: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator(operation).paginate(**self._bucket, Prefix=self._prefix + prefix)
        return (entry for page in pages for entry in page.get(what, ()))

    def _remove(self, names: list[str]) -> None:
        listed = {"Objects": [{"Key": name} for name in names], "Quiet": True}
        with answers("S3"):
            failed = self._client.delete_objects(**self._bucket, Delete=listed).get("Errors")
            if failed:
                raise _failure(failed)


def _failure(failed: list[dict[str, str]]) -> ClientError:
    """The first of some failures, with their number."""
    first = failed[0]
    said = f"{first.get('Key')}: {first.get('Message')} ({len(failed)} objects stay)"
    return ClientError({"Error": {"Code": first.get("Code", ""), "Message": said}}, "DeleteObjects")

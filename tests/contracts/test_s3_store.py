"""The S3 store keeps the contract; and what only a service on a network can get wrong.

The S3 here is moto behind `tests.doubles.aws`. It compares no checksum and tells none of parts, so a resumed part
is recognised by its MD5 here, and by its SHA-256 only where a test speaks for S3.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws import uploads
from lifecycle.adapters.aws.begun import DAY
from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.uploads import checksum, part_size
from lifecycle.model.errors import Unreadable
from lifecycle.ports.checkpoints import ObjectStore
from tests.contracts.object_store import Abandoned, ObjectStoreContract, digest_of, give_up, nothing
from tests.contracts.s3 import BUCKET, MIB, beside_a_bucket, parts_held, unfinished, written
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.e2e.stage import wait_until


@pytest.fixture
def client(aws: AwsDouble) -> Any:
    return beside_a_bucket(aws)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Where a node remembers its uploads."""
    (tmp_path / "node").mkdir()
    return tmp_path / "node" / "uploads"


@pytest.fixture
def store(client: Any, begun: Path) -> S3Store:
    return S3Store(client, BUCKET, begun=begun)


def files_in(folder: Path) -> int:
    return len(list(folder.iterdir()))


class TestS3Store(ObjectStoreContract):
    @pytest.fixture
    def leave(self, client: Any) -> Callable[[str], object]:
        return lambda key: client.create_multipart_upload(Bucket=BUCKET, Key=key)

    @pytest.fixture(params=["no such bucket", "nobody listens"])
    def away(self, aws: AwsDouble, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        if request.param == "nobody listens":
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        return S3Store(Session(REGION).client("s3"), "nowhere")


class TestS3StoreBelowAPrefix(ObjectStoreContract):
    @pytest.fixture
    def store(self, client: Any) -> ObjectStore:
        return S3Store(client, BUCKET, "fleets/f")

    @pytest.fixture
    def leave(self, client: Any) -> Callable[[str], object]:
        return lambda key: client.create_multipart_upload(Bucket=BUCKET, Key=f"fleets/f/{key}")

    @pytest.fixture
    def away(self, aws: AwsDouble) -> ObjectStore:
        return S3Store(Session(REGION).client("s3"), "nowhere", "fleets/f")


def test_large_files_travel_in_parts(store: S3Store, aws: AwsDouble, tmp_path: Path) -> None:
    source = written(tmp_path / "source", 40 * MIB)
    counts: list[int] = []
    stored = store.put_file("runs/a/data", source, counts.append)
    assert (stored, sum(counts), aws.calls["s3.PUT"]) == (digest_of(source.read_bytes()), 40 * MIB, 3)
    assert store.get_file("runs/a/data", tmp_path / "target", nothing) == stored
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


def test_a_file_just_below_a_part_takes_one_call(store: S3Store, aws: AwsDouble, tmp_path: Path) -> None:
    store.put_file("runs/a/data", written(tmp_path / "source", 16 * MIB - 1), nothing)
    assert aws.calls == {"s3.PUT": 1}


@pytest.mark.parametrize("size", [0, 16 * MIB, 16 * MIB * 10_000, 16 * MIB * 10_000 + 1, 5 * 1024**4])
def test_there_are_never_more_parts_than_s3_takes(size: int) -> None:
    assert part_size(size) >= 16 * MIB
    assert -(-size // part_size(size)) <= 10_000


def test_nothing_is_visible_while_parts_are_sent(store: S3Store, tmp_path: Path) -> None:
    seen: list[object] = []
    source = written(tmp_path / "source", 20 * MIB)
    store.put_file("runs/a/data", source, lambda _: seen.append(list(store.keys("runs/"))))
    assert (seen[-1], store.keys("runs/")) == ([], ["runs/a/data"])


# ---- checked on arrival ---------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "bodies"), [(5, 1), (20 * MIB, 2)])
def test_every_body_carries_its_sha256(store: S3Store, client: Any, tmp_path: Path, size: int, bodies: int) -> None:
    """S3 refuses a body that does not match; moto does not compare, so this asks what was sent."""
    sent: list[bool] = []

    def look(request: Any, **_: Any) -> None:
        body = request.body if isinstance(request.body, bytes) else request.body.getvalue()
        told = request.headers["x-amz-checksum-sha256"]
        told = told.decode() if isinstance(told, bytes) else told
        sent.append(told == checksum(hashlib.sha256(body).digest()))

    client.meta.events.register("before-send.s3.PutObject", look)
    client.meta.events.register("before-send.s3.UploadPart", look)
    store.put_file("runs/a/data", written(tmp_path / "source", size), nothing)
    assert sent == [True] * bodies


def test_the_list_of_parts_carries_their_sha256s_and_its_own(store: S3Store, client: Any, tmp_path: Path) -> None:
    sent: list[Any] = []
    client.meta.events.register(
        "before-parameter-build.s3.CompleteMultipartUpload", lambda params, **_: sent.append(dict(params))
    )
    source = written(tmp_path / "source", 20 * MIB)
    store.put_file("runs/a/data", source, nothing)
    pieces = (source.read_bytes()[: 16 * MIB], source.read_bytes()[16 * MIB :])
    digests = [hashlib.sha256(piece).digest() for piece in pieces]
    listed = [part["ChecksumSHA256"] for part in sent[0]["MultipartUpload"]["Parts"]]
    assert listed == [checksum(digest) for digest in digests]
    assert sent[0]["ChecksumSHA256"] == f"{checksum(hashlib.sha256(b''.join(digests)).digest())}-2"


def test_a_body_that_s3_finds_damaged_is_not_taken_for_stored(
    store: S3Store, aws: AwsDouble, tmp_path: Path
) -> None:
    with aws.fault("s3.PUT", status=400, code="BadDigest"), pytest.raises(Unreadable, match="BadDigest"):
        store.put_file("runs/a/data", written(tmp_path / "source", 20 * MIB), nothing)
    assert store.keys("runs/") == []


# ---- memory ---------------------------------------------------------------------------------------

MEASURED = r"""
import re, sys, time
from pathlib import Path
from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
store = S3Store(Session("us-east-1").client("s3"), "checkpoints")
def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
source, target = Path(sys.argv[1]), Path(sys.argv[2])
store.put_file("warm", Path(sys.argv[3]), lambda _: None)
before = peak()
store.put_file("data", source, lambda _: None)
up = peak()
store.get_file("data", target, lambda count: time.sleep(0.2 if count else 0))
print((up - before) // 1024, (peak() - before) // 1024)
"""


def test_eight_parts_are_in_memory_at_most(client: Any, aws: AwsDouble, tmp_path: Path) -> None:
    """Slow here is whoever takes the parts: S3, then the caller; one who did not wait for them would get ahead."""
    source, warm = tmp_path / "source", written(tmp_path / "warm", 5)
    with source.open("wb") as file:
        file.truncate(256 * MIB)
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}  # every part is given back when it is freed
    arguments = [sys.executable, "-c", MEASURED, source, tmp_path / "target", warm]
    with aws.fault("s3.PUT", delay=1.5, refuse=False):
        grown = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout.split()
    assert all(int(megabytes) <= 8 * 16 + 40 for megabytes in grown), grown


# ---- resuming -------------------------------------------------------------------------------------

PUT_SLOWLY = """
import sys, time
from pathlib import Path
from lifecycle.adapters.aws import uploads
from lifecycle.adapters.aws.begun import DAY
from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
uploads.PART = 5 * 1024 * 1024
def moved(count):
    if count:
        print("moved", flush=True)
        time.sleep(60)
store = S3Store(Session("us-east-1").client("s3"), "checkpoints", begun=Path(sys.argv[2]))
store.put_file("runs/a/data", Path(sys.argv[1]), moved)
"""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts of the least size that S3 takes."""
    monkeypatch.setattr(uploads, "PART", 5 * MIB)
    return 5 * MIB


@pytest.fixture
def interrupted(client: Any, aws: AwsDouble, tmp_path: Path, begun: Path, small_parts: int) -> Path:
    """A file of ten parts, of which eight had arrived when its sender was killed."""
    source = written(tmp_path / "source", 10 * small_parts - 7)
    command = [sys.executable, "-c", PUT_SLOWLY, source, begun]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "moved\n"
        wait_until(lambda: len(parts_held(client)) == 8, "eight parts")
        victim.send_signal(signal.SIGKILL)
    aws.calls.clear()
    return source


def test_after_a_sudden_death_only_the_missing_parts_are_sent(
    store: S3Store, client: Any, aws: AwsDouble, interrupted: Path
) -> None:
    stored = store.put_file("runs/a/data", interrupted, nothing)
    assert (stored, aws.calls["s3.PUT"]) == (digest_of(interrupted.read_bytes()), 2)
    assert store.get("runs/a/data") == interrupted.read_bytes()
    assert (unfinished(client), aws.calls["s3.POST"]) == ([], 1)


def test_parts_that_were_altered_meanwhile_are_sent_again(
    store: S3Store, aws: AwsDouble, interrupted: Path
) -> None:
    with interrupted.open("r+b") as file:
        for number in (1, 4):
            file.seek(number * 5 * MIB + 99)
            file.write(b"altered")
    stored = store.put_file("runs/a/data", interrupted, nothing)
    assert (stored, aws.calls["s3.PUT"]) == (digest_of(interrupted.read_bytes()), 4)
    assert store.get("runs/a/data") == interrupted.read_bytes()


def test_a_shorter_file_takes_nothing_from_the_longer_one_but_what_is_equal(
    store: S3Store, aws: AwsDouble, interrupted: Path
) -> None:
    with interrupted.open("r+b") as file:
        file.truncate(17 * MIB)
    stored = store.put_file("runs/a/data", interrupted, nothing)
    assert (stored, aws.calls["s3.PUT"]) == (digest_of(interrupted.read_bytes()), 1)
    assert store.get("runs/a/data") == interrupted.read_bytes()


@pytest.mark.parametrize(("told", "sent"), [("right", 2), ("wrong", 10)])
def test_where_s3_tells_the_sha256_of_a_part_it_decides(
    store: S3Store, client: Any, aws: AwsDouble, interrupted: Path, told: str, sent: int
) -> None:
    data = interrupted.read_bytes()

    def tell(parsed: dict[str, Any], **_: Any) -> None:
        for part in parsed.get("Parts", ()):
            start = (part["PartNumber"] - 1) * 5 * MIB
            digest = hashlib.sha256(data[start : start + 5 * MIB] if told == "right" else b"").digest()
            part["ChecksumSHA256"] = checksum(digest)

    client.meta.events.register("after-call.s3.ListParts", tell)
    store.put_file("runs/a/data", interrupted, nothing)
    assert aws.calls["s3.PUT"] == sent


def test_an_upload_that_has_ended_meanwhile_begins_anew(
    store: S3Store, client: Any, aws: AwsDouble, interrupted: Path
) -> None:
    assert store.abort_stale("runs/a/", 0) == 1
    assert store.put_file("runs/a/data", interrupted, nothing) == digest_of(interrupted.read_bytes())
    assert (unfinished(client), aws.calls["s3.PUT"]) == ([], 10)


def test_an_upload_of_another_object_is_not_taken_for_ours(store: S3Store, client: Any, interrupted: Path) -> None:
    store.put_file("runs/b/data", interrupted, nothing)
    assert unfinished(client) == ["runs/a/data"]


def test_without_a_memory_an_upload_begins_anew(client: Any, aws: AwsDouble, interrupted: Path) -> None:
    S3Store(client, BUCKET).put_file("runs/a/data", interrupted, nothing)
    assert aws.calls["s3.PUT"] == 10


# ---- what a node remembers ------------------------------------------------------------------------


def test_an_upload_is_remembered_before_its_first_part_and_until_it_has_ended(
    store: S3Store, begun: Path, tmp_path: Path
) -> None:
    seen: list[int] = []
    store.put_file("runs/a/data", written(tmp_path / "source", 20 * MIB), lambda _: seen.append(files_in(begun)))
    assert (set(seen), files_in(begun)) == ({1}, 0)


def test_an_upload_that_was_given_up_is_forgotten(store: S3Store, begun: Path, tmp_path: Path) -> None:
    with pytest.raises(Abandoned):
        store.put_file("runs/a/data", written(tmp_path / "source", 20 * MIB), give_up)
    assert files_in(begun) == 0


def test_what_nobody_came_back_to_for_a_day_is_forgotten(
    store: S3Store, aws: AwsDouble, begun: Path, interrupted: Path
) -> None:
    (old,) = begun.iterdir()
    os.utime(old, (time.time() - DAY - 1,) * 2)
    with aws.fault("s3.PUT", status=500, code="InternalError"), pytest.raises(Unreadable):
        store.put_file("runs/b/data", interrupted, nothing)
    assert (old.exists(), files_in(begun)) == (False, 1)


@pytest.mark.parametrize("disk", ["gone", "a file"])
def test_a_disk_that_takes_no_notes_keeps_nothing_from_the_store(
    store: S3Store, begun: Path, tmp_path: Path, disk: str
) -> None:
    begun.parent.rmdir()
    if disk == "a file":
        begun.parent.write_text("in the way")
    source = written(tmp_path / "source", 20 * MIB)
    assert store.put_file("runs/a/data", source, nothing) == digest_of(source.read_bytes())
    assert not begun.exists()


@pytest.mark.parametrize(
    ("age", "left"), [(3600.0, ["runs/b/data"]), (1e10, ["runs/a/1", "runs/a/2", "runs/b/data"])]
)
def test_stale_uploads_are_dropped_by_prefix_and_age(
    store: S3Store, client: Any, age: float, left: list[str]
) -> None:
    """In moto every upload began in 2010."""
    for key in ("runs/a/1", "runs/a/2", "runs/b/data"):
        client.create_multipart_upload(Bucket=BUCKET, Key=key)
    assert store.abort_stale("runs/a/", age) == 3 - len(left)
    assert unfinished(client) == left


def test_with_an_owner_every_call_says_whose_the_bucket_must_be(client: Any, tmp_path: Path) -> None:
    session, named = Session(REGION).client("s3"), set[tuple[str, str | None]]()
    session.meta.events.register(
        "before-call.s3",
        lambda model, params, **_: named.add((model.name, params["headers"].get("x-amz-expected-bucket-owner"))),
    )
    store = S3Store(session, BUCKET, owner=ACCOUNT)
    for size in (10, 40 * MIB):
        store.put_file("runs/a/data", written(tmp_path / "source", size), nothing)
        store.get_file("runs/a/data", tmp_path / "target", nothing)
    store.put_new("runs/a/manifest.json", b"{}")
    store.abort_stale("runs/", 0)
    store.remove(store.keys("runs/"))
    assert {owner for _, owner in named} == {ACCOUNT}
    assert len(named) == 8

"""The S3 store when S3 is slow, refuses, loses answers, or is asked by many at once."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody

from lifecycle.adapters.aws.begun import Begun
from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.uploads import Place, upload
from lifecycle.model.errors import Conflict, NotAuthorised, SteadyError, Unreadable
from tests.contracts.object_store import Abandoned, digest_of, nothing
from tests.contracts.s3 import BUCKET, MIB, beside_a_bucket, unfinished, written
from tests.doubles.aws import AwsDouble

KEY = "runs/a/data"


@pytest.fixture
def client(aws: AwsDouble) -> Any:
    return beside_a_bucket(aws)


@pytest.fixture
def store(client: Any, tmp_path: Path) -> S3Store:
    (tmp_path / "node").mkdir()
    return S3Store(client, BUCKET, begun=tmp_path / "node" / "uploads")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written(tmp_path / "source", 40 * MIB)


# ---- faults ---------------------------------------------------------------------------------------


def test_denied_is_missing_where_the_list_lacks_it(store: S3Store, aws: AwsDouble, tmp_path: Path) -> None:
    """What S3 says of a missing object to those who may list only below a prefix."""
    with aws.fault("s3.GET", times=1, status=403, code="AccessDenied"):
        assert store.get("runs/a/none") is None
    with aws.fault("s3.GET", times=1, status=403, code="AccessDenied"):
        assert store.get_file("runs/a/none", tmp_path / "target", nothing) is None


def test_denied_is_denied_where_the_list_shows_it(store: S3Store, aws: AwsDouble) -> None:
    store.put_new("runs/a/manifest.json", b"{}")
    with aws.fault("s3.GET", times=1, status=403, code="AccessDenied"), pytest.raises(NotAuthorised):
        store.get("runs/a/manifest.json")


@pytest.mark.parametrize(
    "fault",
    [
        {"times": 2, "status": 503, "code": "SlowDown"},
        {"times": 2, "status": 500, "code": "InternalError"},
        {"times": 2, "delay": 0.5, "refuse": False},
        {"times": 1, "lose_answer": True},
    ],
)
@pytest.mark.parametrize("operation", ["s3.PUT", "s3.POST", "s3.GET"])
def test_what_passes_is_ridden_out(
    store: S3Store, aws: AwsDouble, source: Path, tmp_path: Path, operation: str, fault: dict[str, Any]
) -> None:
    with aws.fault(operation, **fault) as standing:
        stored = store.put_file(KEY, source, nothing)
        assert store.get_file(KEY, tmp_path / "target", nothing) == stored == digest_of(source.read_bytes())
        assert standing.met == fault["times"]


def test_what_does_not_pass_is_unreadable_and_the_next_try_goes_on(
    store: S3Store, client: Any, aws: AwsDouble, source: Path
) -> None:
    with (
        aws.fault("s3.PUT", times=1, refuse=False),
        aws.fault("s3.PUT", status=500, code="InternalError"),
        pytest.raises(Unreadable, match="InternalError"),
    ):
        store.put_file(KEY, source, nothing)
    assert unfinished(client) == [KEY]
    aws.calls.clear()
    assert store.put_file(KEY, source, nothing) == digest_of(source.read_bytes())
    assert aws.calls["s3.PUT"] == 2


def test_a_refusal_is_told_as_what_it_is(store: S3Store, aws: AwsDouble, source: Path) -> None:
    with aws.fault("s3", status=403, code="AccessDenied"), pytest.raises(NotAuthorised, match="S3 refuses"):
        store.put_file(KEY, source, nothing)


def test_a_completion_whose_answer_was_lost_is_told_by_the_object(
    store: S3Store, aws: AwsDouble, source: Path
) -> None:
    """S3 may say to the repeat that there is no such upload: it has become the object."""
    with (
        aws.fault("s3.POST", times=1, refuse=False),
        aws.fault("s3.POST", times=1, lose_answer=True),
        aws.fault("s3.POST", status=404, code="NoSuchUpload") as repeated,
    ):
        assert store.put_file(KEY, source, nothing) == digest_of(source.read_bytes())
    assert repeated.met == 1


def test_a_completion_that_failed_is_not_taken_for_one_by_an_older_object(
    store: S3Store, aws: AwsDouble, source: Path, tmp_path: Path
) -> None:
    store.put_file(KEY, written(tmp_path / "older", 20 * MIB), nothing)
    with (
        aws.fault("s3.POST", times=1, refuse=False),
        aws.fault("s3.POST", status=404, code="NoSuchUpload"),
        pytest.raises(Unreadable, match="NoSuchUpload"),
    ):
        store.put_file(KEY, source, nothing)


# ---- giving up ------------------------------------------------------------------------------------


def give_up_at(count: int) -> Callable[[int], None]:
    """A `moved` that raises once this many bytes have moved."""
    total = 0

    def moved(more: int) -> None:
        nonlocal total
        total += more
        if total >= count:
            raise Abandoned

    return moved


def test_an_abandoned_upload_stops_its_parts_and_is_dropped(
    store: S3Store, client: Any, aws: AwsDouble, tmp_path: Path
) -> None:
    with pytest.raises(Abandoned):
        store.put_file(KEY, written(tmp_path / "source", 200 * MIB), give_up_at(1))
    assert aws.calls["s3.PUT"] <= 9
    assert (unfinished(client), store.keys("")) == ([], [])
    assert not [thread for thread in threading.enumerate() if thread.name == "transfer"]


def test_a_slow_upload_can_be_abandoned_before_a_part_has_arrived(
    store: S3Store, client: Any, aws: AwsDouble, source: Path
) -> None:
    counts: list[int] = []

    def moved(count: int) -> None:
        counts.append(count)
        raise Abandoned

    with aws.fault("s3.PUT", delay=1.0, refuse=False), pytest.raises(Abandoned):
        store.put_file(KEY, source, moved)
    assert (counts, unfinished(client)) == ([0], [])


def test_a_source_that_cannot_be_read_on_drops_its_upload(client: Any) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 5 * MIB
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        upload(Place(client, {"Bucket": BUCKET}, KEY), pieces(), nothing, Begun(None))
    assert unfinished(client) == []


def test_an_abandoned_download_leaves_what_lay_there(store: S3Store, source: Path, tmp_path: Path) -> None:
    store.put_file(KEY, source, nothing)
    (tmp_path / "target").write_bytes(b"older")
    with pytest.raises(Abandoned):
        store.get_file(KEY, tmp_path / "target", give_up_at(20 * MIB))
    assert (tmp_path / "target").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["source", "target"]


# ---- downloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [2, 3])
def test_an_answer_that_breaks_off_is_asked_for_three_times(
    store: S3Store, client: Any, monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path, cuts: int
) -> None:
    stored = store.put_file(KEY, source, nothing)
    get, left = client.get_object, [None] * cuts

    def cut(**what: Any) -> Any:
        found = get(**what)
        if "IfMatch" not in what and left:
            left.pop()
            found["Body"] = StreamingBody(io.BytesIO(found["Body"].read(MIB)), found["ContentLength"])
        return found

    monkeypatch.setattr(client, "get_object", cut)
    if cuts == 3:
        with pytest.raises(Unreadable, match="does not answer"):
            store.get_file(KEY, tmp_path / "target", nothing)
        assert not (tmp_path / "target").exists()
    else:
        assert store.get_file(KEY, tmp_path / "target", nothing) == stored


def test_an_object_replaced_while_it_is_read_is_not_mixed(store: S3Store, source: Path, tmp_path: Path) -> None:
    store.put_file(KEY, source, nothing)
    other = written(tmp_path / "other", 40 * MIB)
    replaced: list[object] = []

    def replace(_: int) -> None:
        if not replaced:
            replaced.append(store.put_file(KEY, other, nothing))

    with pytest.raises(Unreadable, match="PreconditionFailed"):
        store.get_file(KEY, tmp_path / "target", replace)
    assert not (tmp_path / "target").exists()


# ---- new objects ----------------------------------------------------------------------------------


def test_of_sixteen_writers_one_wins(store: S3Store) -> None:
    def put(writer: int) -> int | None:
        try:
            store.put_new("runs/a/manifest.json", b"the same")
        except Conflict:
            return None
        return writer

    for _round in range(5):
        with ThreadPoolExecutor(16) as pool:
            winners = [writer for writer in pool.map(put, range(16)) if writer is not None]
        assert len(winners) == 1
        store.remove(["runs/a/manifest.json"])


def test_a_new_object_whose_answer_was_lost_is_ours(store: S3Store, aws: AwsDouble) -> None:
    with aws.fault("s3.PUT", times=1, lose_answer=True):
        store.put_new("runs/a/manifest.json", b"{}")
    assert aws.calls["s3.PUT"] == 2


def test_equal_bytes_of_another_writer_are_not_ours(store: S3Store) -> None:
    store.put_new("runs/a/manifest.json", b"{}")
    with pytest.raises(Conflict, match="exists already"):
        store.put_new("runs/a/manifest.json", b"{}")


def test_an_object_of_nobody_known_is_not_ours(store: S3Store, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="runs/a/manifest.json", Body=b"{}")
    with pytest.raises(Conflict):
        store.put_new("runs/a/manifest.json", b"{}")


def test_a_write_in_the_middle_of_another_loses(store: S3Store, aws: AwsDouble) -> None:
    with aws.fault("s3.PUT", status=409, code="ConditionalRequestConflict"), pytest.raises(Conflict):
        store.put_new("runs/a/manifest.json", b"{}")


# ---- many objects ---------------------------------------------------------------------------------


def test_keys_are_read_to_the_last_page(store: S3Store, aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    names = [f"runs/a/{number}" for number in range(8)]
    for name in names:
        store.put_new(name, b"")
    assert (store.keys("runs/"), aws.calls["s3.GET"]) == (names, 3)


def test_objects_are_removed_a_thousand_at_a_time(store: S3Store, aws: AwsDouble) -> None:
    names = [f"runs/a/{number}" for number in range(2001)]
    store.put_new(names[-1], b"")
    store.remove(names)
    assert (store.keys(""), aws.calls["s3.POST"]) == ([], 3)


@pytest.mark.parametrize(("code", "kind"), [("AccessDenied", NotAuthorised), ("InternalError", Unreadable)])
def test_an_object_that_stays_is_told(store: S3Store, client: Any, code: str, kind: type[SteadyError]) -> None:
    def fail(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Errors"] = [{"Key": "runs/a/1", "Code": code, "Message": "stays"}]

    client.meta.events.register("after-call.s3.DeleteObjects", fail)
    with pytest.raises(kind, match=r"runs/a/1: stays \(1 objects stay\)"):
        store.remove(["runs/a/1"])

"""What all kinds of resources have in common: a name, rules of replacement, and the five things done with one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import boto3
from botocore.config import Config

from tests.doubles.aws import ACCOUNT, CREDENTIALS, REGION
from tests.doubles.kinds.properties import (
    Change,
    Properties,
    aligned,
    as_known,
    changes,
    same_document,
    without,
)

DEFAULTS = "__defaults"
"""Where the inputs name what the provider and not the program has filled in."""


class Unsupported(Exception):
    """The real provider may do this; the double does not, and says so."""


class Clients:
    """One client of each service, made by one thread at a time; what few tests need is made when first used."""

    def __init__(self, endpoint: str) -> None:
        session = boto3.session.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        how = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=64)

        self._lock, self._made = threading.Lock(), dict[str, Any]()
        self._make = lambda service: session.client(service, endpoint_url=endpoint, config=how)
        self.ec2, self.iam, self.s3 = self._of("ec2"), self._of("iam"), self._of("s3")
        self.dynamodb, self.sqs, self.events = self._of("dynamodb"), self._of("sqs"), self._of("events")

    @property
    def ecs(self) -> Any:
        return self._of("ecs")

    @property
    def logs(self) -> Any:
        return self._of("logs")

    @property
    def scheduler(self) -> Any:
        return self._of("scheduler")

    def _of(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                self._made[service] = self._make(service)
            return self._made[service]

    def close(self) -> None:
        for client in self._made.values():
            client.close()


@dataclass(frozen=True)
class Seen:
    """What the cloud holds: `inputs` as a program would write them, `outputs` computed by the cloud."""

    inputs: Properties
    outputs: Properties = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """The answer to Diff."""

    changes: tuple[Change, ...]
    replacing: frozenset[Change]

    @property
    def top_level(self) -> list[str]:
        return sorted({str(change.path[0]) for change in self.changes})


class Kind:
    """One kind of resource. Subclasses say how moto keeps it.

    The class variables are the real provider's schema, reduced to what decides a Diff: "ForceNew" is `replaced_by`,
    "Optional and Computed" is `computed` (leaving one out is no change), sets are `unordered`, and JSON texts that
    mean the same are equal (`documents`). Names are dotted, and stand for everything below them.
    """

    token: ClassVar[str]
    label: ClassVar[str]
    """As the real provider's errors call it."""
    autonamed: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {}
    replaced_by: ClassVar[tuple[str, ...]] = ()
    computed: ClassVar[tuple[str, ...]] = ()
    documents: ClassVar[tuple[str, ...]] = ()
    unordered: ClassVar[tuple[str, ...]] = ()
    always_seen: ClassVar[tuple[str, ...]] = ("tags",)
    """Drift that shows even when the program never set the property."""

    def __init__(self, aws: Clients) -> None:
        self.aws = aws

    def create(self, inputs: Properties) -> str:
        """Makes it and returns its id. Raises ClientError as the cloud refuses."""
        raise NotImplementedError

    def read(self, known: str, inputs: Properties) -> Seen | None:
        """What is there under this id; none when it is gone. ClientErrors that mean "gone" may be raised too."""
        raise NotImplementedError

    def update(self, known: str, old: Properties, new: Properties) -> None:
        """Changes it in place. Raises Unsupported for what the double cannot."""
        raise Unsupported(f"the provider's double cannot change a {self.label} in place")

    def delete(self, known: str, inputs: Properties) -> None:
        """Ends it. What is gone already may raise its ClientError."""
        raise NotImplementedError

    def replaces(self, new: Properties) -> tuple[str, ...]:
        """What forces a replacement, given the new inputs."""
        return self.replaced_by

    def checked(self, logical: str, seed: bytes, olds: Properties, news: Properties) -> Properties:
        """The inputs with a name and defaults filled in; a generated name is kept for a resource's life."""
        filled = {key: value for key, value in self.defaults.items() if key not in news}
        if self.autonamed and self.autonamed not in news:
            filled[self.autonamed] = self._generated(logical, seed, olds, news)
        return {**news, **filled, DEFAULTS: sorted(filled)}

    def _generated(self, logical: str, seed: bytes, olds: Properties, news: Properties) -> str:
        if self.autonamed in olds.get(DEFAULTS, ()):
            return str(olds[self.autonamed])
        return f"{logical}-{hashlib.sha256(seed).hexdigest()[:7]}"

    def diff(self, old: Properties, new: Properties, ignored: Iterable[str] = ()) -> Difference:
        """What an update from the old inputs to the new ones would have to change, and what of it replaces."""
        skipped = (*ignored, DEFAULTS)
        before, after = without(old, skipped), without(new, skipped)
        for name in {*self.documents, *self.unordered} & {*before} & {*after}:
            if self._equivalent(name, before[name], after[name]):
                before[name] = after[name]
        found = tuple(change for change in changes(before, after) if not self._left_out(change))
        rules = self.replaces(new)
        return Difference(found, frozenset(change for change in found if _below(change, rules)))

    def _left_out(self, change: Change) -> bool:
        """Whether a property that the cloud fills in was left out, which is not the same as a shorter list."""
        return change.how == "delete" and change.names == change.path and _below(change, self.computed)

    def _equivalent(self, name: str, old: Any, new: Any) -> bool:
        if name in self.documents:
            return same_document(old, new)
        return bool(aligned(new, old) == new)

    def settled(self, known: Properties, seen: Properties) -> Properties:
        """The inputs to report: what the program had set, as it is now, in the words the program used."""
        found: Properties = {key: known[key] for key in (DEFAULTS,) if key in known}
        for key, value in seen.items():
            if key not in known and not (key in self.always_seen and value):
                continue
            mine = known.get(key)
            ordered = aligned(mine, value) if key in self.unordered else value
            whole = key in self.always_seen or mine is None
            found[key] = ordered if whole else as_known(mine, ordered)
            if key in self.documents and same_document(mine, value):
                found[key] = mine
        return found | {key: value for key, value in known.items() if key not in seen and self._unseen(key, value)}

    def _unseen(self, key: str, value: Any) -> bool:
        """Whether an input that the cloud does not show still stands: it cannot be shown, or is empty."""
        return not value or key in ("forceDestroy", "region")

    def refuse_others(self, inputs: Properties, *understood: str) -> None:
        """Raises Unsupported for inputs that would otherwise be passed over in silence."""
        unknown = {*inputs} - {*understood, *self.defaults, DEFAULTS, "region"}
        if unknown:
            raise Unsupported(f"the provider's double knows no {', '.join(sorted(unknown))} of {self.label}")


def _below(change: Change, rules: Iterable[str]) -> bool:
    return any(change.names[: len(steps)] == steps for steps in (tuple(rule.split(".")) for rule in rules))


def pairs(tags: Mapping[str, str] | None, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{key: name, value: text} for name, text in (tags or {}).items()]


def tags_of(found: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as a program writes them; AWS's own are not the program's."""
    return {tag["Key"]: tag["Value"] for tag in found or () if not tag["Key"].startswith("aws:")}


def tag_changes(old: Properties, new: Properties) -> tuple[dict[str, str], list[str]]:
    """(tags to set, keys to remove)."""
    before, after = old.get("tags") or {}, new.get("tags") or {}
    return {key: value for key, value in after.items() if before.get(key) != value}, sorted({*before} - {*after})


def present(**arguments: Any) -> dict[str, Any]:
    """The arguments that have a value, for calls that refuse an explicit none."""
    return {name: value for name, value in arguments.items() if value not in (None, {}, [])}


def arn(service: str, rest: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"

"""The only maker of AWS clients: explicit timeouts and retries, the account checked before anything is used.

Errors of botocore end here: a missing region or right says what to mend; everything else is
Unreadable, from which nothing follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from lifecycle.model.errors import NotAuthorised, SteadyError, Unreadable

CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
    user_agent_extra="steadyfleet",
    s3={"payload_signing_enabled": False},
)
"""Standard mode, three attempts: two throttles in a row are ridden out within about 1.2 s.

Bodies to S3 are not hashed once more for the signature: it covers the checksum header that each carries.
"""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "403",
    }
)
_WITHOUT = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    TokenRetrievalError,
)


class Session:
    """Clients for one account and region. `account` None: whichever the credentials are of.

    `vouched`: the machine's own metadata service names the account, and gives the credentials: STS is not asked.
    """

    def __init__(self, region: str, account: str | None = None, *, vouched: bool = False) -> None:
        self.region, self._expected, self._vouched = region, account, vouched

    @cached_property
    def _boto(self) -> boto3.Session:
        with answers("AWS"):
            return boto3.Session(region_name=self.region)

    @cached_property
    def account(self) -> str:
        """The account id. Raises NotAuthorised when it is not the one expected: nothing was touched."""
        if self._vouched and self._expected is not None:
            return self._with_credentials(self._expected)
        found: str = self.identity()["Account"]
        if self._expected not in (None, found):
            raise NotAuthorised(
                f"these credentials are of account {found}; the fleet lives in {self._expected}",
                fix="choose the right profile (AWS_PROFILE), or the right foundation stack",
            )
        return found

    def identity(self) -> dict[str, Any]:
        """What STS says of these credentials, whichever account they are of. Raises NotAuthorised, Unreadable."""
        with answers("STS"):
            found: dict[str, Any] = self._client("sts").get_caller_identity()
        return found

    def told_at(self) -> float:
        """The moment of an answer of AWS's by its own clock, also when it refuses us. Raises Unreadable."""
        with answers("STS"):
            try:
                response = self._client("sts").get_caller_identity()
            except ClientError as error:
                response = error.response
        try:
            return parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
        except (KeyError, ValueError):
            raise Unreadable("AWS's answer has no date", fix="compare `date -u` with another clock") from None

    @property
    def expires(self) -> float | None:
        """When the credentials end, in seconds since the epoch; None where botocore is not told."""
        ends = getattr(self._boto.get_credentials(), "_expiry_time", None)
        return ends.timestamp() if isinstance(ends, datetime) else None

    def _with_credentials(self, account: str) -> str:
        """A client that is made while there are none would be without for ever."""
        with answers("the credentials' source"):
            if self._boto.get_credentials() is None:
                raise NoCredentialsError
        return account

    @property
    def partition(self) -> str:
        """The part of AWS that the region belongs to, as it stands in ARNs."""
        return str(self._boto.get_partition_for_region(self.region))

    def client(self, service: str, config: Config = CONFIG) -> Any:
        """A client of this region, once the account is known to be the right one."""
        assert self.account
        return self._client(service, config)

    def _client(self, service: str, config: Config = CONFIG) -> Any:
        with answers(service):
            return self._boto.client(service, config=config)  # type: ignore[call-overload]


@contextmanager
def answers(service: str) -> Iterator[None]:
    """Turns what botocore raises into our errors; ours pass through."""
    try:
        yield
    except NoRegionError:
        raise SteadyError("no AWS region is set", fix="name one in the spec: `region: us-east-1`") from None
    except _WITHOUT as error:
        raise NotAuthorised(
            f"no AWS credentials: {error}", fix="set AWS_PROFILE, or run `aws sso login`, then try again"
        ) from None
    except ClientError as error:
        raise _refused(service, error) from None
    except (BotoCoreError, ResponseParserError) as error:
        raise Unreadable(
            f"{service} does not answer: {error}", fix="it is tried again; see to the network"
        ) from None


def code_of(error: ClientError) -> str:
    """`ConditionalCheckFailedException`, `NoSuchKey`, `404` and the like."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(service: str, error: ClientError) -> SteadyError:
    code, said = code_of(error), error.response.get("Error", {}).get("Message", "")
    if code in _EXPIRED:
        return NotAuthorised(f"{service}: the AWS credentials have expired", fix="log in again (`aws sso login`)")
    if code in DENIED:
        return NotAuthorised(
            f"{service} refuses {error.operation_name}: {said or code}",
            fix="use credentials with this right; README lists what each role needs",
        )
    return Unreadable(
        f"AWS does not answer as it should: {service} {error.operation_name}: {code}: {said}",
        fix="it is tried again by the next tick",
    )

"""Clients of AWS: the right account first, few and explicit retries, errors a person can act on."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from lifecycle.adapters.aws.session import Session, answers
from lifecycle.model.errors import NotAuthorised, Unreadable
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble


def test_the_account_is_asked_once(aws: AwsDouble) -> None:
    session = Session(REGION)
    assert (session.account, session.client("s3").meta.region_name) == (ACCOUNT, REGION)
    assert aws.calls["sts.GetCallerIdentity"] == 1


def test_no_client_is_made_for_another_account(aws: AwsDouble) -> None:
    with pytest.raises(NotAuthorised, match=f"of account {ACCOUNT}; the fleet lives in 999999999999") as refused:
        Session(REGION, account="999999999999").client("ec2")
    assert "AWS_PROFILE" in refused.value.fix
    assert set(aws.calls) == {"sts.GetCallerIdentity"}


def test_a_machine_that_knows_its_account_asks_nobody(aws: AwsDouble) -> None:
    session = Session(REGION, account="999999999999", vouched=True)
    session.client("s3")
    assert (session.account, session.partition) == ("999999999999", "aws")
    assert not aws.calls


def test_a_machine_whose_credentials_are_not_there_yet_makes_no_client(
    aws: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(NotAuthorised, match="no AWS credentials"):
        Session(REGION, account=ACCOUNT, vouched=True).client("s3")


def test_without_credentials_it_says_how_to_get_some(aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(NotAuthorised, match="no AWS credentials") as refused:
        _ = Session(REGION).account
    assert "aws sso login" in refused.value.fix


@pytest.mark.parametrize(
    ("code", "said"), [("ExpiredToken", "have expired"), ("AccessDenied", "STS refuses GetCallerIdentity")]
)
def test_what_a_person_can_mend_is_told_with_the_fix(aws: AwsDouble, code: str, said: str) -> None:
    with aws.fault("sts", status=403, code=code), pytest.raises(NotAuthorised, match=said):
        _ = Session(REGION).account


def test_two_throttles_in_a_row_are_ridden_out(aws: AwsDouble) -> None:
    client = Session(REGION).client("dynamodb")
    with aws.fault("dynamodb.ListTables", times=2, status=400, code="ThrottlingException") as fault:
        assert client.list_tables()["TableNames"] == []
    assert fault.met == 2


def test_a_service_that_goes_on_failing_is_unreadable_after_three_attempts(aws: AwsDouble) -> None:
    client = Session(REGION).client("dynamodb")
    with aws.fault("dynamodb.ListTables", status=500, code="InternalServerError") as fault:
        with pytest.raises(Unreadable, match="DynamoDB ListTables: InternalServerError"), answers("DynamoDB"):
            client.list_tables()
        assert fault.met == 3


def test_a_service_that_is_not_there_is_unreadable(aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Unreadable, match="STS does not answer"):
        _ = Session(REGION).account


# ---- the double itself: it refuses what EC2 refuses -----------------------------------------------


def launched(client: object, **options: object) -> str:
    made = client.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, **options)  # type: ignore[attr-defined]
    return str(made["Instances"][0]["InstanceId"])


@pytest.mark.parametrize("verb", ["stop_instances", "start_instances"])
def test_the_double_neither_stops_nor_starts_a_spot_machine(aws: AwsDouble, verb: str) -> None:
    client = Session(REGION).client("ec2")
    machine = launched(client, InstanceMarketOptions={"MarketType": "spot"})
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        getattr(client, verb)(InstanceIds=[machine])


def test_the_double_starts_no_terminated_machine(aws: AwsDouble) -> None:
    client = Session(REGION).client("ec2")
    machine = launched(client)
    client.terminate_instances(InstanceIds=[machine])
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        client.start_instances(InstanceIds=[machine])


def test_the_double_can_lose_an_answer_after_the_call_was_carried_out(aws: AwsDouble) -> None:
    client = Session(REGION).client("ec2")
    with aws.fault("ec2.RunInstances", times=1, lose_answer=True):
        launched(client)
    found = client.describe_instances()["Reservations"]
    assert sum(len(reservation["Instances"]) for reservation in found) == 2

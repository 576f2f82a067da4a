"""EC2 behind the compute port: the whole list or none, and nothing touched that is not provably ours."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from lifecycle.model.errors import GuardRefused, NotAuthorised, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.plan import Label
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from tests.builders import but
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.ec2_pages import (
    FLEET,
    OWNER,
    CannedSession,
    a_page,
    an_instance,
    fleet_pages,
    listed,
    statuses,
    steady_tags,
)

SPOT = {"InstanceMarketOptions": {"MarketType": "spot"}}


@pytest.fixture(scope="module")
def session() -> Session:
    """One for all, with one client per service: boto3 takes most of a second to make them."""
    found = Session(REGION)
    found.client = cache(found.client)  # type: ignore[method-assign]
    return found


@pytest.fixture
def ec2(aws: AwsDouble, session: Session) -> Any:
    """EC2 as somebody else uses it."""
    return session.client("ec2")


@pytest.fixture
def compute(ec2: Any, session: Session) -> Ec2Compute:
    return Ec2Compute(session, OWNER)


def launched(ec2: Any, tags: dict[str, str] | None = None, **options: Any) -> str:
    """A new instance with these tags, by default ours."""
    given = [{"Key": key, "Value": value} for key, value in (steady_tags() if tags is None else tags).items()]
    tagged = [{"ResourceType": "instance", "Tags": given}] if given else []
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, TagSpecifications=tagged, **options)
    return str(made["Instances"][0]["InstanceId"])


def state_of(ec2: Any, name: str) -> str:
    found = ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


class Hours:
    """A clock that a test moves."""

    at = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


# ---- seeing --------------------------------------------------------------------------------------


def test_a_machine_is_shown_as_ec2_has_it(ec2: Any, compute: Ec2Compute) -> None:
    tags = steady_tags("f/t/3", "7")
    name = launched(ec2, tags, InstanceType="g5.xlarge", Placement={"AvailabilityZone": "us-east-1b"}, **SPOT)
    (machine,) = compute.machines(FLEET)
    assert (machine.id, machine.node, machine.incarnation) == (name, "f/t/3", 7)
    assert (machine.state, machine.market) == (InstanceState.RUNNING, Market.SPOT)
    assert (machine.instance_type, machine.zone, machine.tags) == ("g5.xlarge", "us-east-1b", tags)
    assert (machine.cause, machine.ended_at, machine.ending, machine.impaired) == (None, None, False, False)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        steady_tags(owner="o2"),
        steady_tags("g/t/0", fleet="g"),
        steady_tags("g/t/0"),
        steady_tags("f/t"),
        steady_tags("f/t/zero"),
        steady_tags(incarnation="one"),
        steady_tags(incarnation="-1"),
        steady_tags(incarnation="٣"),
        {"steady:owner": OWNER, "steady:fleet": FLEET},
    ],
)
def test_what_is_not_fully_ours_is_left_out(ec2: Any, compute: Ec2Compute, tags: dict[str, str]) -> None:
    launched(ec2, tags)
    name = launched(ec2)
    assert [machine.id for machine in compute.machines(FLEET)] == [name]


def test_a_foreign_machine_that_a_filter_let_through_is_left_out() -> None:
    assert listed(an_instance(tags=steady_tags(owner="o2")), an_instance(tags=steady_tags(fleet="g"))) == []


def test_an_empty_fleet_is_an_empty_list(compute: Ec2Compute) -> None:
    assert compute.machines(FLEET) == []


def test_ended_machines_stay_in_the_list_with_cause_and_time(ec2: Any, compute: Ec2Compute) -> None:
    name = launched(ec2)
    began = datetime.now(UTC).timestamp()
    ec2.terminate_instances(InstanceIds=[name])
    (machine,) = compute.machines(FLEET)
    assert (machine.id, machine.state, machine.live) == (name, InstanceState.TERMINATED, False)
    assert machine.cause is Cause.OPERATOR
    assert machine.ended_at is not None
    assert abs(machine.ended_at - began) < 30


# ---- doubt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "code": "RequestLimitExceeded"},
        {"status": 500, "code": "InternalError"},
        {"lose_answer": True},
        {"status": 200},
    ],
)
def test_a_list_that_fails_is_unreadable(
    ec2: Any, compute: Ec2Compute, aws: AwsDouble, fault: dict[str, Any]
) -> None:
    launched(ec2)
    with aws.fault("ec2.DescribeInstances", **fault), pytest.raises(Unreadable):
        compute.machines(FLEET)
    assert len(compute.machines(FLEET)) == 1


def test_two_throttles_and_a_slow_answer_are_ridden_out(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    launched(ec2)
    slow = aws.fault("ec2.DescribeInstances", times=1, delay=0.3, refuse=False)
    with aws.fault("ec2.DescribeInstances", times=2, code="RequestLimitExceeded") as throttle, slow:
        assert len(compute.machines(FLEET)) == 1
    assert throttle.met == 2


def test_credentials_without_the_right_are_told(compute: Ec2Compute, aws: AwsDouble) -> None:
    denied = aws.fault("ec2.DescribeInstances", status=403, code="UnauthorizedOperation")
    with denied, pytest.raises(NotAuthorised):
        compute.machines(FLEET)


def test_a_list_whose_later_page_fails_is_no_list() -> None:
    first, second, third = fleet_pages(6, size=2)
    for torn in (third[: len(third) // 2], "", "<html>proxy</html>"):
        with pytest.raises(Unreadable):
            Ec2Compute(CannedSession([first, second, torn]), OWNER).machines(FLEET)


def test_pages_that_go_in_circles_are_no_list() -> None:
    first, *_ = fleet_pages(4, size=2)
    with pytest.raises(Unreadable):
        Ec2Compute(CannedSession([first, first]), OWNER).machines(FLEET)


@pytest.mark.parametrize(
    "instances", [(an_instance(), an_instance()), (an_instance(state="frozen"),), (an_instance(state=""),)]
)
def test_an_answer_that_makes_no_sense_is_no_list(instances: tuple[str, ...]) -> None:
    with pytest.raises(Unreadable):
        listed(*instances)


def test_a_strange_machine_of_others_does_not_matter() -> None:
    assert listed(an_instance(state="frozen", tags={})) == []


# ---- calls and status checks ---------------------------------------------------------------------


@pytest.mark.parametrize(("machines", "calls"), [(0, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_tick_makes_one_call_per_thousand(machines: int, calls: int) -> None:
    session = CannedSession(fleet_pages(machines) or [a_page([])])
    assert len(Ec2Compute(session, OWNER, checks=False).machines(FLEET)) == machines
    assert [call["Action"] for call in session.asked] == ["DescribeInstances"] * calls
    assert {call["MaxResults"] for call in session.asked} == {"1000"}
    filters = {session.asked[0][f"Filter.{n}.Name"]: session.asked[0][f"Filter.{n}.Value.1"] for n in (1, 2)}
    assert filters == {"tag:steady:fleet": FLEET, "tag:steady:owner": OWNER}


def test_statuses_are_asked_once_a_minute(aws: AwsDouble, ec2: Any, session: Session) -> None:
    launched(ec2)
    clock = Hours()
    compute = Ec2Compute(session, OWNER, clock=clock)
    for clock.at in (0.0, 20.0, 59.0, 60.0, 90.0):
        compute.machines(FLEET)
    assert (aws.calls["ec2.DescribeInstances"], aws.calls["ec2.DescribeInstanceStatus"]) == (5, 2)


def test_statuses_are_asked_for_running_machines_only(aws: AwsDouble, ec2: Any, compute: Ec2Compute) -> None:
    ec2.stop_instances(InstanceIds=[launched(ec2)])
    compute.machines(FLEET)
    assert aws.calls["ec2.DescribeInstanceStatus"] == 0


def test_a_failed_check_makes_a_machine_impaired() -> None:
    two = an_instance(), an_instance("i-00000002", tags=steady_tags("f/t/1"))
    found = listed(*two, checks=statuses(i_00000001="impaired", i_00000002="initializing", i_0000000f="impaired"))
    assert [(machine.id, machine.impaired) for machine in found] == [("i-00000001", True), ("i-00000002", False)]


def test_a_check_that_failed_before_a_restart_says_nothing_after_it() -> None:
    session = CannedSession.listing(an_instance())
    session.checks = statuses(i_00000001="impaired")
    compute = Ec2Compute(session, OWNER, clock=Hours())
    assert [machine.impaired for machine in compute.machines(FLEET)] == [True]
    session.pages = [session.pages[0].replace("12:00:00.000Z</launch", "13:00:00.000Z</launch")]
    assert [machine.impaired for machine in compute.machines(FLEET)] == [False]


def test_statuses_that_cannot_be_read_fail_nobody(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    launched(ec2)
    with aws.fault("ec2.DescribeInstanceStatus", status=500, code="InternalError") as fault:
        assert [machine.impaired for machine in compute.machines(FLEET)] == [False]
        compute.machines(FLEET)
    assert fault.met == 3


# ---- switching -----------------------------------------------------------------------------------


def test_off_and_on_again_and_each_twice(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    name = launched(ec2)
    (machine,) = compute.machines(FLEET)
    compute.power_off(machine)
    compute.power_off(machine)
    assert state_of(ec2, name) == "stopped"
    compute.power_on(machine)
    compute.power_on(machine)
    assert state_of(ec2, name) == "running"
    assert (aws.calls["ec2.StopInstances"], aws.calls["ec2.StartInstances"]) == (1, 1)


@pytest.mark.parametrize("verb", ["power_off", "power_on"])
def test_a_spot_machine_is_neither_stopped_nor_started(
    ec2: Any, compute: Ec2Compute, aws: AwsDouble, verb: str
) -> None:
    launched(ec2, **SPOT)
    (machine,) = compute.machines(FLEET)
    with pytest.raises(GuardRefused, match="f/t/0: a spot machine cannot be stopped or started, only ended"):
        getattr(compute, verb)(machine)
    assert aws.calls["ec2.StopInstances"] + aws.calls["ec2.StartInstances"] == 0


@pytest.mark.parametrize("verb", ["power_off", "power_on", "end_stray"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("owner", "o2"), ("fleet", "g"), ("node", "f/t/9"), ("incarnation", "2"), ("node", "broken")],
)
def test_a_machine_that_is_no_longer_ours_is_left_alone(
    ec2: Any, compute: Ec2Compute, aws: AwsDouble, verb: str, key: str, value: str
) -> None:
    name = launched(ec2)
    (machine,) = compute.machines(FLEET)
    ec2.create_tags(Resources=[name], Tags=[{"Key": f"steady:{key}", "Value": value}])
    with pytest.raises(GuardRefused, match=f"{name} is not our machine of f/t/0"):
        getattr(compute, verb)(machine)
    changing = [call for call in aws.calls if call in ("ec2.StopInstances", "ec2.StartInstances")]
    assert [*changing, aws.calls["ec2.TerminateInstances"], state_of(ec2, name)] == [0, "running"]


@pytest.mark.parametrize("verb", ["power_off", "power_on", "end_stray"])
def test_what_cannot_be_proven_is_not_touched(ec2: Any, compute: Ec2Compute, aws: AwsDouble, verb: str) -> None:
    name = launched(ec2)
    (machine,) = compute.machines(FLEET)
    with aws.fault("ec2.DescribeInstances", status=500), pytest.raises(Unreadable):
        getattr(compute, verb)(machine)
    with pytest.raises(Unreadable, match="InvalidInstanceID"):
        getattr(compute, verb)(but(machine, id="i-0123456789abcdef0"))
    assert state_of(ec2, name) == "running"


def test_a_stop_whose_answer_is_lost_is_done_once_more_without_harm(
    ec2: Any, compute: Ec2Compute, aws: AwsDouble
) -> None:
    name = launched(ec2)
    (machine,) = compute.machines(FLEET)
    with aws.fault("ec2.StopInstances", times=1, lose_answer=True):
        compute.power_off(machine)
    assert state_of(ec2, name) == "stopped"


def test_somebody_who_was_faster_is_no_error(aws: AwsDouble) -> None:
    running, stopped = a_page([an_instance()]), a_page([an_instance(state="stopped")])
    session = OvertakenSession([running, running, stopped])
    compute = Ec2Compute(session, OWNER, checks=False)
    (machine,) = compute.machines(FLEET)
    compute.power_off(machine)
    assert session.verbs == ["DescribeInstances", "DescribeInstances", "StopInstances", "DescribeInstances"]


def test_a_wrong_state_that_is_not_the_one_wanted_is_an_error(
    ec2: Any, compute: Ec2Compute, aws: AwsDouble
) -> None:
    name = launched(ec2)
    (machine,) = compute.machines(FLEET)
    ec2.terminate_instances(InstanceIds=[name])
    compute.power_off(machine)
    with pytest.raises(Unreadable, match="IncorrectInstanceState"):
        compute.power_on(machine)


def test_a_stray_is_ended_once(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    name = launched(ec2, **SPOT)
    (machine,) = compute.machines(FLEET)
    compute.end_stray(machine)
    compute.end_stray(machine)
    assert (state_of(ec2, name), aws.calls["ec2.TerminateInstances"]) == ("terminated", 1)


# ---- tagging -------------------------------------------------------------------------------------


def training(machine: Machine) -> Label:
    return Label(machine=machine, tags={"steady:state": "training"})


def test_only_what_differs_is_written(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    launched(ec2, {**steady_tags(), "steady:state": "training"})
    (machine,) = compute.machines(FLEET)
    compute.label([Label(machine=machine, tags={"steady:state": "training", "steady:run": "f.t.main.0"})])
    (machine,) = compute.machines(FLEET)
    assert machine.tags == {**steady_tags(), "steady:state": "training", "steady:run": "f.t.main.0"}
    compute.label([Label(machine=machine, tags={"steady:run": "f.t.main.0"})])
    assert aws.calls["ec2.CreateTags"] == 1


def test_states_are_tagged_when_they_changed(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    for index in range(3):
        launched(ec2, steady_tags(f"f/t/{index}"))
    compute.label([training(machine) for machine in compute.machines(FLEET)])
    found = compute.machines(FLEET)
    compute.label([training(machine) for machine in found])
    assert aws.calls["ec2.CreateTags"] == 1
    assert found[0].tags == {**steady_tags("f/t/0"), "steady:state": "training"}


def test_states_are_tagged_in_batches() -> None:
    session = CannedSession(fleet_pages(450))
    compute = Ec2Compute(session, OWNER, checks=False)
    found = compute.machines(FLEET)
    compute.label([training(machine) for machine in found])
    batches = [call for call in session.asked if call["Action"] == "CreateTags"]
    sizes = [sum(key.startswith("ResourceId.") for key in call) for call in batches]
    assert sizes == [200, 200, 50]


def test_neither_foreign_nor_ended_machines_are_tagged(ec2: Any, compute: Ec2Compute, aws: AwsDouble) -> None:
    ec2.terminate_instances(InstanceIds=[launched(ec2)])
    (ended,) = compute.machines(FLEET)
    foreign = but(ended, state=InstanceState.RUNNING, tags=steady_tags(owner="o2"))
    ending = but(ended, state=InstanceState.RUNNING, ending=True)
    compute.label([training(ended), training(foreign), training(ending)])
    assert aws.calls["ec2.CreateTags"] == 0


class OvertakenSession(CannedSession):
    """Each list is the next page; a stop finds that the machine is no longer in a state for it."""

    @property
    def verbs(self) -> list[str]:
        return [call["Action"] for call in self.asked]

    def answer(self, call: dict[str, str]) -> tuple[int, str]:
        if call["Action"] == "StopInstances":
            error = "<Code>IncorrectInstanceState</Code><Message>it is off</Message>"
            return 400, f"<Response><Errors><Error>{error}</Error></Errors></Response>"
        return 200, self.pages[self.verbs.count("DescribeInstances") - 1]

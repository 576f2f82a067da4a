"""The provisioner on the real engine: what it makes, changes and ends, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.pulumi.provisioner import at_home
from lifecycle.model.errors import GuardRefused, SteadyError, Unreadable
from tests.builders import but
from tests.doubles.aws import REGION
from tests.engine.yard import Yard

GROUP = "aws:ec2/securityGroup:SecurityGroup"

pytestmark = pytest.mark.engine


def test_every_node_is_made_and_a_human_has_nothing_to_do(yard: Yard) -> None:
    yard.made(0, 1, 2)
    assert sorted(yard.live()) == [0, 1, 2]
    assert yard.kept() == {f"f.t.{node}": instance for node, instance in yard.live().items()}
    by_hand = yard.by_hand(refresh=True)
    assert set(by_hand.changes) == {"same"}, by_hand.output


def test_one_of_three_is_replaced_and_the_others_are_not_even_read(yard: Yard) -> None:
    yard.made(0, 1, 2)
    before = yard.live()
    yard.engine.provider.calls.clear()
    yard.made(1, incarnation=2)
    asked = {name for _, token, name in yard.engine.provider.calls if token.endswith("Instance")}
    assert asked == {"f.t.1"}
    assert {node for node, instance in yard.live().items() if before[node] != instance} == {1}
    assert set(yard.by_hand(refresh=True).changes) == {"same"}


def test_a_node_that_leaves_is_ended_beside_one_that_comes(yard: Yard) -> None:
    yard.made(0, 1)
    placements = [*yard.place(1, present=False), *yard.place(2)]
    outcomes = yard.provisioner.converge("f", placements)
    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert sorted(yard.live()) == [0, 2]
    assert yard.kept().keys() == {"f.t.0", "f.t.2"}


def test_a_stack_that_a_human_made_is_carried_on_with(yard: Yard) -> None:
    assert yard.by_hand().code == 0
    before, secrets = yard.live(), yard.secrets()
    yard.made(1, incarnation=2)
    assert {node for node, instance in yard.live().items() if before[node] != instance} == {1}
    assert yard.secrets() == secrets, "kept as the human chose"
    assert set(yard.by_hand(refresh=True).changes) == {"same"}


def test_what_the_program_cannot_say_changes_nothing(yard: Yard) -> None:
    yard.made(0)

    async def unreadable() -> dict[str, Any]:
        raise Unreadable("the tracker does not answer", fix="wait")

    blind = yard.another(program=lambda *_: unreadable)
    (outcome,) = blind.converge("f", yard.place(0, incarnation=2))
    assert outcome.error == "not reached: the tracker does not answer"
    assert yard.live().keys() == {0}
    with pytest.raises(SteadyError, match="the tracker does not answer"):
        blind.differences("f")


def test_what_was_made_is_known_though_nobody_could_be_told(yard: Yard) -> None:
    def refuse(*_: object) -> None:
        raise Unreadable("the journal does not answer", fix="wait")

    (outcome,) = yard.another(tell=refuse).converge("f", yard.place(0))
    assert outcome.error == ""
    assert yard.live().keys() == {0}


def test_a_repeat_changes_nothing(yard: Yard) -> None:
    yard.made(0)
    before = yard.live()
    yard.made(0)
    assert yard.live() == before


def test_no_capacity_is_said_and_nothing_is_made(yard: Yard) -> None:
    yard.made(0)
    with yard.aws.fault("RunInstances", status=500, code="InsufficientInstanceCapacity"):
        outcome = yard.converge(1)[1]
    assert (outcome.no_capacity, outcome.uncertain) == (True, False)
    assert outcome.error.startswith("InsufficientInstanceCapacity: ")
    assert sorted(yard.live()) == [0]


def test_a_machine_whose_answer_was_lost_is_taken_up_and_never_made_twice(yard: Yard) -> None:
    yard.made(0, 2)
    with yard.aws.fault("RunInstances", times=1, lose_answer=True):
        lost = yard.converge(1)[1]
    assert lost.uncertain, lost
    made = yard.live()[1]
    yard.made(1)
    assert yard.live()[1] == yard.kept()["f.t.1"] == made
    by_hand = yard.by_hand(refresh=True)
    assert set(by_hand.changes) == {"same"}, by_hand.output


def test_a_leaving_nodes_machine_that_the_stack_does_not_keep_is_handed_back(yard: Yard) -> None:
    yard.made(0)
    with yard.aws.fault("RunInstances", times=1, lose_answer=True):
        yard.converge(1)
    outcome = yard.converge(1, present=False)[1]
    assert outcome.orphan is not None
    assert outcome.orphan.id == yard.live()[1]
    assert outcome.error == ""


def test_a_refusal_of_the_guard_is_told_in_its_own_words(yard: Yard) -> None:
    yard.made(0)
    claim = yard.tracker.incarnations("f", [("f/t/0", 1)])["f/t/0", 1]
    yard.tracker.put_incarnation("f", but(claim, number=2, instance="i-gone"), None)
    outcome = yard.converge(0, incarnation=2)[0]
    assert outcome.error.startswith("f/t/0: incarnation 2 is taken by i-gone; nothing was made")
    assert outcome.uncertain, "the guard's word is no answer of AWS"


def test_shared_things_are_compared_and_put_right_and_no_machine_is_touched(yard: Yard) -> None:
    yard.made(0)
    before = yard.live()
    assert yard.provisioner.differences("f") == ()
    _without_egress_rule(yard)
    _with_policy_edited(yard)
    yard.engine.provider.calls.clear()
    assert yard.provisioner.differences("f") == (
        "security group nodes differs in egress",
        "role policy node differs in policy",
    )
    yard.provisioner.share("f")
    assert yard.provisioner.differences("f") == ()
    assert yard.live() == before
    assert not [call for call in yard.engine.provider.calls if call[1].endswith("Instance")]


def test_what_is_shared_goes_with_the_last_machine_and_not_before(yard: Yard) -> None:
    yard.made(0)
    with pytest.raises(GuardRefused, match=yard.live()[0]):
        yard.provisioner.dismantle("f")
    yard.made(0, present=False)
    yard.provisioner.dismantle("f")
    yard.provisioner.dismantle("f")
    assert not yard.engine.run("stack", "export", "--stack", "f").stdout
    assert not Session(REGION).client("iam").list_roles()["Roles"]


def test_a_stack_that_another_backend_keeps_is_neither_made_again_nor_taken_for_gone(yard: Yard) -> None:
    elsewhere = yard.another(staked=lambda fleet: fleet == "f")
    for does in (lambda: elsewhere.dismantle("f"), lambda: elsewhere.converge("f", yard.place(0))):
        with pytest.raises(
            GuardRefused, match="has its stake in the tracker, and no stack in this Pulumi"
        ) as refused:
            does()
    assert "pulumi stack init f" in refused.value.fix
    assert yard.live() == {}


def _without_egress_rule(yard: Yard) -> None:
    ec2, (group,) = Session(REGION).client("ec2"), yard.engine.resources_of(GROUP).values()
    rules = ec2.describe_security_groups(GroupIds=[group["id"]])["SecurityGroups"][0]["IpPermissionsEgress"]
    ec2.revoke_security_group_egress(GroupId=group["id"], IpPermissions=rules)


def _with_policy_edited(yard: Yard) -> None:
    role, _, name = yard.engine.resources_of("aws:iam/rolePolicy:RolePolicy")["node"]["id"].partition(":")
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    edited = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    Session(REGION).client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=edited)


def test_a_stack_of_another_region_is_not_carried_on_with(yard: Yard) -> None:
    yard.made(0)
    elsewhere = yard.another(region="eu-west-1")
    for does in (
        lambda: elsewhere.converge("f", yard.place(0, 1)),
        lambda: elsewhere.differences("f"),
        lambda: elsewhere.dismantle("f"),
        lambda: at_home("f", "eu-west-1"),
    ):
        with pytest.raises(GuardRefused, match=f"f is there already, in {REGION}"):
            does()
    at_home("f", REGION)
    at_home("g", "eu-west-1")
    assert yard.live().keys() == {0}

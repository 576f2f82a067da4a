"""IAM: roles, their policies, and the profiles that hand a role to a machine."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import ClassVar

from botocore.exceptions import ClientError

from tests.doubles.kinds.kind import Kind, Seen, Unsupported, pairs, present, tag_changes, tags_of
from tests.doubles.kinds.properties import Properties

VERSIONS = 5
"""How many versions AWS keeps of one managed policy."""


class Role(Kind):
    """A role. Deleting one that still has policies is refused, unless it was told to let go of them."""

    token = "aws:iam/role:Role"
    label = "IAM Role"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"forceDetachPolicies": False, "maxSessionDuration": 3600, "path": "/"}
    replaced_by = ("name", "namePrefix", "path")
    computed = ("managedPolicyArns", "inlinePolicies")
    documents = ("assumeRolePolicy",)
    unordered = ("managedPolicyArns", "inlinePolicies")

    def create(self, inputs: Properties) -> str:
        name = str(inputs["name"])
        self.aws.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            **present(
                Path=inputs.get("path"),
                Description=inputs.get("description"),
                MaxSessionDuration=inputs.get("maxSessionDuration"),
                PermissionsBoundary=inputs.get("permissionsBoundary"),
                Tags=pairs(inputs.get("tags")),
            ),
        )
        self._policies(name, {}, inputs)
        return name

    def _policies(self, name: str, old: Properties, new: Properties) -> None:
        before, after = (_by_name(side.get("inlinePolicies", ())) for side in (old, new))
        for gone in {*before} - {*after}:
            self.aws.iam.delete_role_policy(RoleName=name, PolicyName=gone)
        for policy, document in after.items():
            self.aws.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
        held, wanted = ({*side.get("managedPolicyArns", ())} for side in (old, new))
        for policy in held - wanted:
            self.aws.iam.detach_role_policy(RoleName=name, PolicyArn=policy)
        for policy in wanted - held:
            self.aws.iam.attach_role_policy(RoleName=name, PolicyArn=policy)

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.iam.get_role(RoleName=known)["Role"]
        tags = tags_of(found.get("Tags"))
        seen = {
            "name": found["RoleName"],
            "path": found["Path"],
            "assumeRolePolicy": json.dumps(found["AssumeRolePolicyDocument"]),
            "maxSessionDuration": found.get("MaxSessionDuration", 3600),
            "description": found.get("Description", ""),
            "permissionsBoundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "tags": tags,
        }
        if "managedPolicyArns" in inputs:
            attached = self.aws.iam.list_attached_role_policies(RoleName=known)["AttachedPolicies"]
            seen["managedPolicyArns"] = [policy["PolicyArn"] for policy in attached]
        kept = ("inlinePolicies", "forceDetachPolicies")
        seen |= {name: inputs[name] for name in kept if name in inputs}
        made = {"arn": found["Arn"], "uniqueId": found["RoleId"], "createDate": found["CreateDate"].isoformat()}
        return Seen(seen, {**made, "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        changed = self.diff(old, new).top_level
        if "assumeRolePolicy" in changed:
            self.aws.iam.update_assume_role_policy(RoleName=known, PolicyDocument=new["assumeRolePolicy"])
        if {"description", "maxSessionDuration"} & {*changed}:
            described = present(MaxSessionDuration=new.get("maxSessionDuration"))
            self.aws.iam.update_role(RoleName=known, Description=new.get("description", ""), **described)
        if "permissionsBoundary" in changed:
            self._bound(known, new.get("permissionsBoundary"))
        added, removed = tag_changes(old, new)
        if removed:
            self.aws.iam.untag_role(RoleName=known, TagKeys=removed)
        if added:
            self.aws.iam.tag_role(RoleName=known, Tags=pairs(added))
        self._policies(known, old, new)

    def _bound(self, known: str, boundary: str | None) -> None:
        if boundary:
            self.aws.iam.put_role_permissions_boundary(RoleName=known, PermissionsBoundary=boundary)
        else:
            self.aws.iam.delete_role_permissions_boundary(RoleName=known)

    def delete(self, known: str, inputs: Properties) -> None:
        for profile in self.aws.iam.list_instance_profiles_for_role(RoleName=known)["InstanceProfiles"]:
            self.aws.iam.remove_role_from_instance_profile(
                InstanceProfileName=profile["InstanceProfileName"], RoleName=known
            )
        letting_go = inputs.get("forceDetachPolicies")
        if letting_go or "managedPolicyArns" in inputs:
            for policy in self.aws.iam.list_attached_role_policies(RoleName=known)["AttachedPolicies"]:
                self.aws.iam.detach_role_policy(RoleName=known, PolicyArn=policy["PolicyArn"])
        if letting_go or "inlinePolicies" in inputs:
            for policy in self.aws.iam.list_role_policies(RoleName=known)["PolicyNames"]:
                self.aws.iam.delete_role_policy(RoleName=known, PolicyName=policy)
        self.aws.iam.delete_role(RoleName=known)


def _by_name(policies: list[Properties] | tuple[()]) -> dict[str, str]:
    return {policy["name"]: policy["policy"] for policy in policies}


class RolePolicy(Kind):
    """A policy inside a role."""

    token = "aws:iam/rolePolicy:RolePolicy"
    label = "IAM Role Policy"
    autonamed = "name"
    replaced_by = ("name", "namePrefix", "role")
    documents = ("policy",)

    def create(self, inputs: Properties) -> str:
        self._put(inputs)
        return f"{inputs['role']}:{inputs['name']}"

    def _put(self, inputs: Properties) -> None:
        self.aws.iam.put_role_policy(
            RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=inputs["policy"]
        )

    def read(self, known: str, inputs: Properties) -> Seen | None:
        role, _, name = known.partition(":")
        found = self.aws.iam.get_role_policy(RoleName=role, PolicyName=name)
        return Seen({"role": role, "name": name, "policy": json.dumps(found["PolicyDocument"])})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._put(new)

    def delete(self, known: str, inputs: Properties) -> None:
        role, _, name = known.partition(":")
        self.aws.iam.delete_role_policy(RoleName=role, PolicyName=name)


class RolePolicyAttachment(Kind):
    """A managed policy put on a role."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    label = "IAM Role Policy Attachment"
    replaced_by = ("role", "policyArn")

    def create(self, inputs: Properties) -> str:
        self.aws.iam.attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}/{inputs['policyArn']}"

    def read(self, known: str, inputs: Properties) -> Seen | None:
        role, _, policy = known.partition("/")
        attached = self.aws.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        there = any(one["PolicyArn"] == policy for one in attached)
        return Seen({"role": role, "policyArn": policy}) if there else None

    def delete(self, known: str, inputs: Properties) -> None:
        role, _, policy = known.partition("/")
        self.aws.iam.detach_role_policy(RoleName=role, PolicyArn=policy)


class Policy(Kind):
    """A managed policy; a change is a new version of it."""

    token = "aws:iam/policy:Policy"
    label = "IAM Policy"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"path": "/"}
    replaced_by = ("name", "namePrefix", "path", "description")
    documents = ("policy",)

    def create(self, inputs: Properties) -> str:
        made = self.aws.iam.create_policy(
            PolicyName=inputs["name"],
            Path=inputs["path"],
            PolicyDocument=inputs["policy"],
            **present(Description=inputs.get("description"), Tags=pairs(inputs.get("tags"))),
        )
        return str(made["Policy"]["Arn"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.iam.get_policy(PolicyArn=known)["Policy"]
        version = self.aws.iam.get_policy_version(PolicyArn=known, VersionId=found["DefaultVersionId"])
        tags = tags_of(found.get("Tags"))
        seen = {
            "name": found["PolicyName"],
            "path": found["Path"],
            "description": found.get("Description", ""),
            "policy": json.dumps(version["PolicyVersion"]["Document"]),
            "tags": tags,
        }
        return Seen(seen, {"arn": known, "policyId": found["PolicyId"], "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        if "policy" in self.diff(old, new).top_level:
            older = self._older(known)
            if len(older) >= VERSIONS - 1:
                self.aws.iam.delete_policy_version(PolicyArn=known, VersionId=older[-1])
            self.aws.iam.create_policy_version(PolicyArn=known, PolicyDocument=new["policy"], SetAsDefault=True)
        added, removed = tag_changes(old, new)
        if removed:
            self.aws.iam.untag_policy(PolicyArn=known, TagKeys=removed)
        if added:
            self.aws.iam.tag_policy(PolicyArn=known, Tags=pairs(added))

    def _older(self, known: str) -> list[str]:
        """Versions that are not in force, newest first."""
        versions = self.aws.iam.list_policy_versions(PolicyArn=known)["Versions"]
        idle = [version["VersionId"] for version in versions if not version["IsDefaultVersion"]]
        return sorted(idle, key=lambda name: int(name[1:]), reverse=True)

    def delete(self, known: str, inputs: Properties) -> None:
        for version in self._older(known):
            self.aws.iam.delete_policy_version(PolicyArn=known, VersionId=version)
        self.aws.iam.delete_policy(PolicyArn=known)


class InstanceProfile(Kind):
    """What a machine is started with to get a role."""

    token = "aws:iam/instanceProfile:InstanceProfile"
    label = "IAM Instance Profile"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"path": "/"}
    replaced_by = ("name", "namePrefix", "path")
    computed = ("role",)

    def create(self, inputs: Properties) -> str:
        name = str(inputs["name"])
        tags = present(Tags=pairs(inputs.get("tags")))
        self.aws.iam.create_instance_profile(InstanceProfileName=name, Path=inputs["path"], **tags)
        if inputs.get("role"):
            self.aws.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=inputs["role"])
        return name

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.iam.get_instance_profile(InstanceProfileName=known)["InstanceProfile"]
        tags = tags_of(found.get("Tags"))
        role = next((role["RoleName"] for role in found["Roles"]), "")
        seen = {"name": known, "path": found["Path"], "role": role, "tags": tags}
        made = {"arn": found["Arn"], "uniqueId": found["InstanceProfileId"]}
        return Seen(seen, {**made, "createDate": found["CreateDate"].isoformat(), "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        changed = self.diff(old, new).top_level
        if "role" in changed:
            self._let_go(known)
            self.aws.iam.add_role_to_instance_profile(InstanceProfileName=known, RoleName=new["role"])
        if {*changed} - {"role", "tags"}:
            raise Unsupported(f"the provider's double cannot change {changed} of an IAM Instance Profile in place")
        added, removed = tag_changes(old, new)
        if removed:
            self.aws.iam.untag_instance_profile(InstanceProfileName=known, TagKeys=removed)
        if added:
            self.aws.iam.tag_instance_profile(InstanceProfileName=known, Tags=pairs(added))

    def _let_go(self, known: str) -> None:
        for role in self.aws.iam.get_instance_profile(InstanceProfileName=known)["InstanceProfile"]["Roles"]:
            with suppress(ClientError):
                self.aws.iam.remove_role_from_instance_profile(InstanceProfileName=known, RoleName=role["RoleName"])

    def delete(self, known: str, inputs: Properties) -> None:
        self._let_go(known)
        self.aws.iam.delete_instance_profile(InstanceProfileName=known)

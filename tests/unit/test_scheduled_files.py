"""What `specs/scheduled` ships: commands that `steady` takes, in files that their own tools find sound."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from cronsim import CronSim

from lifecycle.cli.plans import reconcile
from tests.doubles.aws import AwsDouble

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "specs" / "scheduled"
ANALYZE, KUBECTL = shutil.which("systemd-analyze"), shutil.which("kubectl")


def text(name: str) -> str:
    return (SHIPPED / name).read_text()


def takes(words: list[str]) -> dict[str, Any]:
    """The command's parameters, as `steady reconcile` understands the words behind it."""
    assert words[0] == "reconcile"
    return dict(reconcile.make_context("reconcile", words[1:]).params)


# ---- cron ----------------------------------------------------------------------------------------


def test_the_crontabs_line_is_a_tick_a_minute_as_a_user_of_its_own() -> None:
    line = next(line for line in text("crontab").splitlines() if line.startswith("*"))
    when, user, command = " ".join(line.split()[:5]), line.split()[5], line.split(maxsplit=6)[6]
    assert CronSim(when, _then()).explain() == "Every minute"
    assert user != "root"
    assert "%" not in command  # cron makes a line's end of it
    words = shlex.split(command.partition(">>")[0])
    assert words[0] == "steady"
    assert takes(words[1:])["once"]


def _then() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, 27, tzinfo=UTC)


# ---- systemd -------------------------------------------------------------------------------------


def unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit, with all values that each is given."""
    found: dict[str, list[str]] = {}
    for line in text(name).splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The two units, with an interpreter that is there in the place of theirs."""
    for name in ("steadyfleet.service", "steadyfleet.timer"):
        (tmp_path / name).write_text(text(name).replace("/opt/steadyfleet/bin/steady", sys.executable))
    return [str(path) for path in tmp_path.iterdir()]


@pytest.mark.skipif(ANALYZE is None, reason="NOT VERIFIED: no systemd-analyze")
def test_systemd_has_nothing_to_say_of_the_units(units: list[str]) -> None:
    done = subprocess.run([str(ANALYZE), "verify", *units], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if "steadyfleet" in line] == []
    assert done.returncode == 0, said


@pytest.mark.skipif(ANALYZE is None, reason="NOT VERIFIED: no systemd-analyze")
def test_the_services_exposure_is_low() -> None:
    service = str(SHIPPED / "steadyfleet.service")
    command = [str(ANALYZE), "security", "--offline=true", "--threshold=20", "--no-pager", service]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_the_service_starts_one_tick_over_the_specs_that_its_environment_names() -> None:
    (start,) = unit("steadyfleet.service")["ExecStart"]
    words = start.replace("$SPECS", "/etc/steadyfleet/llm.yaml /etc/steadyfleet/vision.yaml").split()
    assert takes(words[1:])["once"]
    assert len(takes(words[1:])["specs"]) == 2


def test_the_service_can_write_to_its_state_and_nowhere_else() -> None:
    service = unit("steadyfleet.service")
    assert (service["ProtectSystem"], service["DynamicUser"], service["NoNewPrivileges"]) == (
        ["strict"],
        ["yes"],
        ["yes"],
    )
    assert "ReadWritePaths" not in service
    written = re.findall(r"(?:HOME|STEADY_STATE|PULUMI_HOME)=(\S+)", text("steadyfleet.service"))
    assert {path.split("/")[3] for path in written} == set(service["StateDirectory"])
    assert "Environment=USER=steadyfleet " in text("steadyfleet.service")  # Pulumi fails without


# ---- Kubernetes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all(text("cronjob.yaml"))}


@pytest.fixture
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    return dict(objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"])


@pytest.mark.skipif(KUBECTL is None, reason="NOT CHECKED: no kubectl")
def test_kubernetes_own_types_know_every_field(objects: dict[str, Any]) -> None:
    """kubectl drops what they do not know, and stops at what is of another type."""
    command = [str(KUBECTL), "set", "env", "--local", "-o", "json", "-f", "-", "ASKED=1"]
    job = yaml.safe_dump(objects["CronJob"])
    done = subprocess.run(command, input=job, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert lost(objects["CronJob"], json.loads(done.stdout)) == []


def lost(mine: Any, known: Any, at: str = "") -> list[str]:
    """The places of `mine` that are not, or not the same, in `known`."""
    if isinstance(mine, dict) and isinstance(known, dict):
        return [place for key, value in mine.items() for place in lost(value, known.get(key), f"{at}.{key}")]
    if isinstance(mine, list) and isinstance(known, list):
        return [place for n, value in enumerate(mine) for place in lost(value, known[n], f"{at}[{n}]")]
    return [] if mine == known else [at]


def test_what_is_unknown_or_wrong_is_found() -> None:
    assert lost({"a": {"b": 1, "c": [2]}}, {"a": {"c": [3], "d": 1}}) == [".a.b", ".a.c[0]"]


def test_a_job_is_never_started_beside_another(objects: dict[str, Any]) -> None:
    job = objects["CronJob"]["spec"]
    assert CronSim(job["schedule"], _then()).explain() == "Every minute"
    assert (job["concurrencyPolicy"], job["jobTemplate"]["spec"]["backoffLimit"]) == ("Forbid", 0)


def test_the_pod_is_restricted_as_kubernetes_own_standard_wants_it(pod: dict[str, Any]) -> None:
    """Source: Kubernetes, "Pod Security Standards", restricted."""
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} <= {"configMap", "emptyDir"}


def test_only_its_scratch_can_be_written(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    mounted = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert [path for path, each in mounted.items() if not each.get("readOnly")] == ["/tmp"]
    assert takes(container["args"])["specs"][0].parent in {Path(path) for path in mounted}
    assert container["resources"]["limits"].keys() >= {"memory"}


def test_every_name_in_the_pod_is_declared_or_made_as_the_file_says(
    objects: dict[str, Any], pod: dict[str, Any]
) -> None:
    commands = "".join(re.findall(r"^# +(kubectl .*)$", text("cronjob.yaml"), re.MULTILINE))
    named = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    named += [e["valueFrom"]["secretKeyRef"]["name"] for e in pod["containers"][0]["env"] if "valueFrom" in e]
    assert pod["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]
    assert {name for name in named if f" {name} " not in commands} == {objects["ConfigMap"]["metadata"]["name"]}


def test_the_pods_profile_leads_to_the_controllers_role(
    objects: dict[str, Any], pod: dict[str, Any], aws: AwsDouble, tmp_path: Path
) -> None:
    """As boto3 reads it: from the service account's token to the pod's role, from that to the controller's."""
    config = objects["ConfigMap"]["data"]["config"]
    given = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    (role,) = objects["ServiceAccount"]["metadata"]["annotations"].values()
    assert f"role_arn = {role}" in config
    assert given["AWS_CONFIG_FILE"] == "/aws/config"
    (tmp_path / "token").write_text("a.b.c")
    (tmp_path / "config").write_text(re.sub(r"/var/run/\S+", str(tmp_path / "token"), config))
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    env = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_PROFILE": str(given["AWS_PROFILE"]),
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert ":assumed-role/controller-1a2b3c4/" in done.stdout, done.stderr


# ---- the image -----------------------------------------------------------------------------------


def steps() -> Iterator[tuple[str, str]]:
    """(instruction, its words) of the Dockerfile, comments and line ends taken out."""
    lines = (line for line in text("Dockerfile").splitlines() if not line.startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, words = line.partition(" ")
            yield instruction, words.strip()


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for step in steps():
        if step[0] == "FROM":
            found.append([])
        found[-1].append(step)
    return found


def words_of(instruction: str) -> list[str]:
    return [words for name, words in steps() if name == instruction]


def test_every_base_is_pinned() -> None:
    for base in words_of("FROM"):
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?( AS \w+)?", base), base


def test_the_image_is_no_roots_and_starts_steady() -> None:
    last = dict(stages()[-1])
    user = last["USER"].split(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert json.loads(last["ENTRYPOINT"]) == ["steady"]
    assert json.loads(last["VOLUME"]) == ["/tmp"]


def test_all_that_is_written_goes_to_the_scratch_and_the_user_has_a_name() -> None:
    """The Pulumi CLI locks stacks in the name of $USER, and fails where a user of no name has none."""
    given = dict(word.split("=", 1) for word in dict(stages()[-1])["ENV"].split())
    for name in ("HOME", "PULUMI_HOME", "STEADY_STATE"):
        assert Path(given[name]).is_relative_to("/tmp")
    assert given["USER"]


def test_nothing_is_fetched_unchecked() -> None:
    assert words_of("ADD") == []
    for run in words_of("RUN"):
        assert not re.search(r"\b(curl|wget)\b", run)
        if "plugin install" in run:
            assert re.search(r'--checksum "\$\{AWS_PLUGIN_SHA256:\?', run), "without one the CLI does not check"
        if "pip install" in run:
            assert run.count("pip install") == run.count("-c .ci/constraints.txt")


def ignored(path: str) -> bool:
    """By the rules beside the Dockerfile: all is left out but what is named, and what is below that."""
    rules = [line for line in text("Dockerfile.dockerignore").splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    return not any(fnmatch(path, rule) or path.startswith(f"{rule}/") for rule in kept)


def test_all_that_is_copied_is_there_and_not_left_out() -> None:
    copied = [words.split()[:-1] for words in words_of("COPY") if not words.startswith("--from")]
    sources = [source for many in copied for source in many]
    assert {"lifecycle", "stacks", "specs", ".ci/constraints.txt"} <= set(sources)
    assert [source for source in sources if ignored(source) or not (ROOT / source).exists()] == []


def test_what_is_copied_between_stages_is_made_there() -> None:
    made = {words.split(" AS ")[1] for words in words_of("FROM") if " AS " in words}
    assert {words.split()[0].removeprefix("--from=") for words in words_of("COPY") if "--from" in words} == made


def test_its_versions_are_those_of_the_tests() -> None:
    from tests.doubles.provider import VERSION as PLUGIN
    from tests.engine.cli import VERSION as PULUMI

    given = dict(words.split("=") for words in words_of("ARG") if "=" in words)
    assert given == {"PULUMI": PULUMI, "AWS_PLUGIN": PLUGIN}
    assert f"pulumi_aws=={PLUGIN}\n" in (ROOT / ".ci" / "constraints.txt").read_text()
    assert PLUGIN in text("README.md")


def test_it_builds_the_cli_as_the_tests_do() -> None:
    from tests.engine import cli

    (build,) = [run for run in words_of("RUN") if "go build" in run]
    assert f"{cli.MODULE}/pkg/v3/cmd/pulumi" in build
    assert '-tags "osusergo grpcnotrace"' in build

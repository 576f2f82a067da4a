"""The opener of secrets, a real process against Secrets Manager: what the trainer finds, and nobody else does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.bootstrap.node import OPENER
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble, Fault

TELLS = "import os, pathlib; print(os.getpid(), os.environ['KEY'], pathlib.Path('/proc/self/cmdline').read_text())"
ABSENT = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:absent-AbCdEf"


class Vault:
    """Secrets Manager, and what is started with it in reach."""

    def __init__(self, aws: AwsDouble, workdir: Path) -> None:
        self.aws, self.workdir = aws, workdir
        self.client = Session(REGION, ACCOUNT, vouched=True).client("secretsmanager")

    def keeps(self, **value: str | bytes) -> str:
        arn: str = self.client.create_secret(Name=f"s{len(self.client.list_secrets()['SecretList'])}", **value)[
            "ARN"
        ]
        return arn

    def starts(self, arn: str, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (*OPENER, f"KEY={arn}", "--", *command),
            env={**os.environ, **self.aws.env},
            cwd=self.workdir,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def says(self, arn: str, *command: str) -> tuple[int, str]:
        child = self.starts(arn, *command)
        said, _ = child.communicate(timeout=60)
        return child.returncode, said


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Vault]:
    with closing(AwsDouble()) as aws:
        for name, value in aws.env.items():
            monkeypatch.setenv(name, value)
        yield Vault(aws, tmp_path)


def test_a_trainer_finds_its_secret_and_its_command_line_does_not_show_it(vault: Vault) -> None:
    child = vault.starts(vault.keeps(SecretString="hush"), sys.executable, "-c", TELLS)
    said, _ = child.communicate(timeout=60)
    pid, secret, command = said.split(" ", 2)
    assert (int(pid), secret) == (child.pid, "hush"), "the opener becomes the trainer"
    assert "hush" not in command


def test_a_value_may_hold_anything_that_a_variable_can(vault: Vault) -> None:
    said = vault.says(
        vault.keeps(SecretString='a=b "c"\n$d'), sys.executable, "-c", "import os; print(os.environ['KEY'])"
    )
    assert said == (0, 'a=b "c"\n$d\n')


def test_a_module_of_the_trainers_takes_no_place_of_ours(vault: Vault) -> None:
    (vault.workdir / "boto3.py").write_text("raise SystemExit('not boto3')\n")
    assert vault.says(vault.keeps(SecretString="hush"), "echo", "trained") == (0, "trained\n")


def test_without_its_secret_a_trainer_is_not_started(vault: Vault, tmp_path: Path) -> None:
    code, said = vault.says(ABSENT, "touch", str(tmp_path / "started"))
    assert (code, said) == (
        1,
        f"secrets: KEY: {ABSENT}: ResourceNotFoundException; mend `secrets` in the spec, or the secret\n",
    )
    assert not (tmp_path / "started").exists()


def test_what_is_not_text_is_no_variable(vault: Vault) -> None:
    code, said = vault.says(vault.keeps(SecretBinary=b"\x00\x01"), "true")
    assert code == 1
    assert "is not text" in said


def test_a_right_that_is_new_is_waited_for(vault: Vault) -> None:
    arn = vault.keeps(SecretString="hush")
    fault = Fault("secretsmanager.GetSecretValue", times=1, status=400, code="AccessDeniedException")
    vault.aws.faults.append(fault)
    code, said = vault.says(arn, "echo", "trained")
    assert (code, fault.met) == (0, 1)
    assert said.endswith("trained\n")


def test_a_program_that_is_not_there_is_told_as_without_secrets(vault: Vault) -> None:
    code, said = vault.says(vault.keeps(SecretString="hush"), "no-such-program")
    assert (code, said) == (127, "cannot start: no-such-program: No such file or directory\n")

"""What a machine runs at its first boot: fetches the foundation's bundle, installs it, starts the agent.

Sent to machines as a part of their user data (`userdata`), so it is one file, knows the standard library only, and
takes what it needs from the environment. It signs by itself (AWS Signature Version 4): an image's curl may be too
old for that, and a Python is needed anyway. What fails ends it with one line; the scheduled power-off stands.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

ROOT = Path(os.environ.get("STEADY_ROOT", "/"))
METADATA = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
NAMES = ("STEADY_REGION", "STEADY_TABLE", "STEADY_BUCKET")
PAUSE, PATIENCE = 2.0, 900.0
"""Seconds between tries, and until it gives up: a new role's credentials and rights take their time."""

UNIT = """\
[Unit]
Description=Steadyfleet agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Environment={environment} STEADY_SHUTDOWN_S=85
ExecStart={agent}
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=90
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
"""

T = TypeVar("T")


def main() -> None:
    """Exits with a line on stderr, which cloud-init shows on the console, when the agent cannot be started."""
    try:
        digest = tried("bundles/current").decode().strip()
        wheels = unpacked(digest, tried(f"bundles/{checked(digest)}.tar"))
        start(install(digest, wheels))
    except (OSError, ValueError, subprocess.SubprocessError, tarfile.TarError) as error:
        sys.exit(f"steady: no agent on this machine: {error}; it powers off by itself")


def tried(key: str) -> bytes:
    """The object, asked for until it comes. What the bucket refuses may be a right that is on its way."""
    return persistently(lambda: object_of(key, credentials()), f"s3://{os.environ['STEADY_BUCKET']}/{key}")


def persistently(ask: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (OSError, ValueError, http.client.HTTPException) as error:
            if time.monotonic() > deadline:
                raise OSError(f"{what}: {error}") from None
            print(f"steady: waiting for {what}: {error}", file=sys.stderr, flush=True)
            time.sleep(PAUSE)


def credentials() -> dict[str, str]:
    """The role's, from the metadata service (IMDSv2)."""
    place = f"{METADATA}/latest/meta-data/iam/security-credentials/"
    token = answer(f"{METADATA}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")
    known = {"X-aws-ec2-metadata-token": token.decode()}
    role = answer(place, known).decode().strip()
    found: dict[str, str] = json.loads(answer(place + role, known))
    if "AccessKeyId" not in found:
        raise ValueError(f"no credentials of role {role} yet")
    return found


def object_of(key: str, who: dict[str, str]) -> bytes:
    region, bucket = os.environ["STEADY_REGION"], os.environ["STEADY_BUCKET"]
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    ending = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    place = f"{endpoint}/{bucket}" if endpoint else f"https://{bucket}.s3.{region}.{ending}"
    url = f"{place}/{key}"
    return answer(url, signed(url, region, who, datetime.now(UTC)))


def answer(url: str, headers: dict[str, str], method: str = "GET") -> bytes:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - our own URLs
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        body: bytes = response.read()
        return body


def signed(url: str, region: str, who: dict[str, str], at: datetime) -> dict[str, str]:
    """The headers of a GET of this URL in the name of `who`."""
    parts, stamp, nothing = urlsplit(url), f"{at:%Y%m%dT%H%M%SZ}", hashlib.sha256().hexdigest()
    headers = {
        "host": parts.netloc,
        "x-amz-content-sha256": nothing,
        "x-amz-date": stamp,
        "x-amz-security-token": who["Token"],
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = hashlib.sha256(f"GET\n{parts.path}\n\n{lines}\n{names}\n{nothing}".encode()).hexdigest()
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    key = b"AWS4" + who["SecretAccessKey"].encode()
    for word in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}"):
        key = hmac.digest(key, word.encode(), "sha256")
    whose = f"Credential={who['AccessKeyId']}/{scope}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {whose}, SignedHeaders={names}, Signature={key.hex()}"}


def checked(digest: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"bundles/current is no digest: {digest[:80]!r}")
    return digest


def unpacked(digest: str, bundle: bytes) -> Path:
    """The folder of the bundle's files, once they are known to be the ones that were uploaded."""
    found = hashlib.sha256(bundle).hexdigest()
    if found != digest:
        raise ValueError(f"the bundle has digest {found}, not {digest}")
    folder = ROOT / "opt/steadyfleet/bundle"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                (folder / Path(member.name).name).write_bytes(content.read())
    return folder


def install(digest: str, wheels: Path) -> Path:
    """An environment that sees the image's packages below its own; returns the agent's program in it."""
    place = ROOT / "opt/steadyfleet" / digest
    run(sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", "--clear", str(place))
    pip = next(wheels.glob("pip-*.whl"), None)
    if pip is None:
        raise ValueError("the bundle holds no pip")
    packages = sorted({wheel.name.partition("-")[0] for wheel in wheels.glob("*.whl")} - {"pip"})
    here = ("--no-index", "--no-deps", "--no-cache-dir", "--ignore-installed", "--find-links", str(wheels))
    run(str(place / "bin/python"), f"{pip}/pip", "install", "--quiet", *here, *packages)
    return place / "bin/steady-agent"


def start(agent: Path) -> None:
    """From now on at every boot: a machine that was stopped starts its agent again."""
    unit = ROOT / "etc/systemd/system/steady-agent.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    environment = " ".join(f"{name}={os.environ[name]}" for name in NAMES)
    unit.write_text(UNIT.format(environment=environment, agent=agent))
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", unit.name)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()

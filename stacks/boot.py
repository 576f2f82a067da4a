"""What a machine runs at its first boot: fetches the foundation's bundle and hands over to its `install`.

Sent to machines as a part of their user data (`userdata`), which a stack's state holds twice for each: so it is
short, one file, knows the standard library only, and takes what it needs from the environment. It signs by itself
(AWS Signature Version 4): an image's curl may be too old for that, and a Python is needed anyway. Credentials and
rights of a new role take their time: all is asked for until it comes. What fails ends it with one line; the
scheduled power-off stands.
"""

import hashlib
import hmac
import io
import json
import os
import re
import sys
import tarfile
import time
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PATIENCE = 900.0


def main() -> None:
    try:
        digest = tried("bundles/current").decode().strip()
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"bundles/current is no digest: {digest[:80]!r}")
        installer = unpacked(digest, tried(f"bundles/{digest}.tar"))
        os.execv(sys.executable, [sys.executable, str(installer), digest])
    except (OSError, ValueError, tarfile.TarError) as error:
        sys.exit(f"steady: no agent on this machine: {error}; it powers off by itself")


def tried(key: str) -> bytes:
    what, deadline = f"s3://{os.environ['STEADY_BUCKET']}/{key}", time.monotonic() + PATIENCE
    while True:
        try:
            return content(key, credentials())
        except (OSError, ValueError, HTTPException) as error:
            if time.monotonic() > deadline:
                raise OSError(f"{what}: {error}") from None
            print(f"steady: waiting for {what}: {error}", file=sys.stderr, flush=True)
            time.sleep(2)


def credentials() -> dict[str, str]:
    place = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/") + "/latest/"
    token = asked(f"{place}api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT").decode()
    known, place = {"X-aws-ec2-metadata-token": token}, f"{place}meta-data/iam/security-credentials/"
    role = asked(place, known).decode().strip()
    found: dict[str, str] = json.loads(asked(place + role, known))
    if "AccessKeyId" not in found:
        raise ValueError(f"no credentials of role {role} yet")
    return found


def content(key: str, who: dict[str, str]) -> bytes:
    region, bucket = os.environ["STEADY_REGION"], os.environ["STEADY_BUCKET"]
    endpoint, ending = os.environ.get("AWS_ENDPOINT_URL"), ".cn" if region.startswith("cn-") else ""
    place = f"{endpoint}/{bucket}" if endpoint else f"https://{bucket}.s3.{region}.amazonaws.com{ending}"
    return asked(f"{place}/{key}", signed(f"{place}/{key}", region, who, datetime.now(UTC)))


def asked(url: str, headers: dict[str, str], method: str = "GET") -> bytes:
    with urlopen(Request(url, method=method, headers=headers), timeout=30) as response:
        return bytes(response.read())


def signed(url: str, region: str, who: dict[str, str], at: datetime) -> dict[str, str]:
    parts, stamp, nothing = urlsplit(url), f"{at:%Y%m%dT%H%M%SZ}", hashlib.sha256().hexdigest()
    headers = {"host": parts.netloc, "x-amz-content-sha256": nothing, "x-amz-date": stamp}
    headers["x-amz-security-token"] = who["Token"]
    names, lines = ";".join(headers), "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = hashlib.sha256(f"GET\n{parts.path}\n\n{lines}\n{names}\n{nothing}".encode()).hexdigest()
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    key = b"AWS4" + who["SecretAccessKey"].encode()
    for word in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}"):
        key = hmac.digest(key, word.encode(), "sha256")
    whose = f"Credential={who['AccessKeyId']}/{scope}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {whose}, SignedHeaders={names}, Signature={key.hex()}"}


def unpacked(digest: str, bundle: bytes) -> Path:
    found = hashlib.sha256(bundle).hexdigest()
    if found != digest:
        raise ValueError(f"the bundle has digest {found}, not {digest}")
    folder = Path(os.environ.get("STEADY_ROOT", "/"), "opt/steadyfleet/bundle")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                (folder / Path(member.name).name).write_bytes(file.read())
    return folder / "install.py"


if __name__ == "__main__":
    main()

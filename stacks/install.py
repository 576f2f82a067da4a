"""The second half of a first boot: installs the agent from the bundle that this file came in, and starts it.

Run by `boot` as `install.py DIGEST`. It knows the standard library only. What fails ends it with one line; the
scheduled power-off stands.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ.get("STEADY_ROOT", "/"))
NAMES = ("STEADY_REGION", "STEADY_TABLE", "STEADY_BUCKET")

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


def main() -> None:
    """Exits with a line on stderr, which cloud-init shows on the console, when the agent cannot be started."""
    try:
        start(install(sys.argv[1], Path(__file__).parent))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"steady: no agent on this machine: {error}; it powers off by itself")


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

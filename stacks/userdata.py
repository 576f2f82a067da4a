"""User data: what makes a machine of an image that knows nothing of us. The same text for a whole foundation.

It names no version, so a new release of this project replaces no machine: boot reads which bundle is current, and
what is done with it is in the bundle too.
"""

from __future__ import annotations

from pathlib import Path

from lifecycle.model.foundation import Foundation

LIMIT = 16 * 1024
"""Bytes of user data that EC2 takes."""

_SCRIPT = """\
#!/bin/bash
# Steadyfleet: installs the foundation's bundle and starts the agent, whose first report cancels the power-off.
shutdown -P +20 "steady: no agent has reported yet"
export STEADY_REGION={region} STEADY_TABLE={table} STEADY_BUCKET={bucket}
for python in python3 python3.14 python3.13 python3.12 python3.11; do
  if "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$python" - <<'STEADY'
{boot}STEADY
  fi
done
echo "steady: no agent on this machine: its image has no Python >= 3.11; it powers off by itself" >&2
exit 1
"""


def text(foundation: Foundation) -> str:
    """The user data of every machine of every fleet on this foundation. It holds no secret."""
    _, _, boot = Path(__file__).with_name("boot.py").read_text().split('"""', 2)
    return _SCRIPT.format(
        region=foundation.region, table=foundation.table, bucket=foundation.bucket, boot=boot.lstrip()
    )

"""`steady` with two stand-ins: the foundation comes from the file $FOUNDATION, machines are made without Pulumi."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lifecycle.bootstrap import cloud, controls
from lifecycle.bootstrap.aws import Site
from lifecycle.cli.entry import main
from lifecycle.model.codec import decode
from lifecycle.model.errors import SteadyError
from lifecycle.model.foundation import Foundation
from lifecycle.ports.provisioner import Provisioner
from tests.doubles.maker import Maker


def read(region: str) -> Foundation:
    found = decode(Path(os.environ["FOUNDATION"]).read_bytes(), Foundation)
    if found.region != region:
        raise SteadyError(f"no foundation in {region}", fix=f"pulumi stack init foundation-{region}")
    return found


def maker(site: Site) -> Provisioner:
    return Maker(site, os.environ["IMAGE"], Path(os.environ["SHARED"]))


if __name__ == "__main__":
    controls._read = read  # type: ignore[assignment]
    cloud.pulumi = maker
    cloud.at_home = lambda *_: None
    sys.exit(main())

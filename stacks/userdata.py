"""User data: stand-in until the agent's side is merged."""

from __future__ import annotations

from lifecycle.model.foundation import Foundation


def text(foundation: Foundation) -> str:
    return f"#!/bin/bash\n# {foundation.bucket}\n"

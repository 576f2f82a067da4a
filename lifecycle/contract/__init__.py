"""What every provider of machines has to do, as tests. Needs pytest: `pip install 'steadyfleet[contract]'`.

A package that registers a provider subclasses `ProviderContract` in its tests and gives it its `Premises`
(README.md beside this file). Nothing else of Steadyfleet imports this package.
"""

import pytest

pytest.register_assert_rewrite("lifecycle.contract.machines", "lifecycle.contract.warnings")

from lifecycle.contract.machines import MachineContract  # noqa: E402 - after the line that makes its asserts speak
from lifecycle.contract.premises import Premises  # noqa: E402
from lifecycle.contract.warnings import WarningContract  # noqa: E402


class ProviderContract(MachineContract, WarningContract):
    """All of it. Give the fixture `premises`."""


__all__ = ["Premises", "ProviderContract"]

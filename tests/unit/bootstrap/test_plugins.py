"""Providers of other packages: found by name, and whatever is wrong with one is a line and its fix."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.bootstrap.plugins import opened
from lifecycle.model.errors import GuardRefused, SteadyError, Unreadable
from lifecycle.ports.provider import Ground
from tests.builders import a_machine
from tests.doubles.packages import example, installed

Register = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that this process finds; what was imported from it is forgotten again."""
    folder, before = tmp_path / "site", {*sys.modules}
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in {*sys.modules} - before:
        del sys.modules[name]


@pytest.fixture
def register(site: Path) -> Register:
    """Registers `moon` with the text of its module."""

    def put(text: str, value: str = "moon:opened", package: str = "lunar") -> None:
        installed(site, package, {"moon": value}, {"moon": text})

    return put


def ground(tmp_path: Path) -> Ground:
    return Ground(state=tmp_path, owner=lambda: "owner-1", spec_of=lambda _: None)


def refused(tmp_path: Path) -> SteadyError:
    with pytest.raises(SteadyError) as told:
        opened("moon", ground(tmp_path))
    assert "\n" not in told.value.what + told.value.fix
    return told.value


def test_a_registered_provider_is_opened_on_its_ground(site: Path, tmp_path: Path) -> None:
    example(site)
    provider = opened("paper", ground(tmp_path))
    assert (provider.name, list(provider.compute.machines("f"))) == ("paper", [])


def test_one_that_is_not_installed_is_said_to_be(tmp_path: Path) -> None:
    told = refused(tmp_path)
    assert told.what == "provider moon is not installed"
    assert "steadyfleet.providers" in told.fix


BROKEN = {
    "a package that lacks another": ("import no_such_module", "ModuleNotFoundError: No module named"),
    "a module that does not parse": ("def (", "SyntaxError"),
    "an attribute that is not there": ("", "AttributeError"),
    "no function": ("opened = 7", "TypeError: 'int' object is not callable"),
    "a function that fails": ("def opened(ground): raise OSError('no\\nkey')", "OSError: no key"),
    "a function that gives something else": ("def opened(ground): return 7", "it gives int, not a"),
}


@pytest.mark.parametrize(("text", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_package_is_one_line_and_names_itself(
    register: Register, tmp_path: Path, text: str, why: str
) -> None:
    register(text)
    told = refused(tmp_path)
    assert told.what.startswith(f"provider moon (moon:opened) cannot be used: {why}")
    assert "lunar 1.0" in told.fix


HALF = """
from lifecycle.ports.provider import Provider
class Half:
    def machines(self, fleet): return []
def opened(ground): return Provider(name="moon", compute=Half(), provisioner=Half(), contract={contract})
"""


def test_what_a_provider_does_not_have_is_named(register: Register, tmp_path: Path) -> None:
    register(HALF.format(contract=1))
    what = refused(tmp_path).what
    assert "it has no Compute.power_off, Compute.power_on" in what
    assert "Provisioner.converge" in what
    assert "Compute.machines" not in what


def test_a_provider_of_another_contract_is_refused(register: Register, tmp_path: Path) -> None:
    register(HALF.format(contract=2))
    told = refused(tmp_path)
    assert told.what == "provider moon keeps to contract 2, this steady to contract 1"
    assert "lunar 1.0" in told.fix


FAILING = """
from lifecycle.model.errors import GuardRefused
from lifecycle.ports.provider import Provider
class Failing:
    def machines(self, fleet): return {}["one\\ntwo"]
    def power_off(self, machine): raise GuardRefused("never", fix="wait")
    power_on = end_stray = label = converge = differences = share = dismantle = machines
def opened(ground): return Provider(name="moon", compute=Failing(), provisioner=Failing())
"""


def test_what_it_raises_in_a_call_is_unknown_and_not_a_bug_of_ours(register: Register, tmp_path: Path) -> None:
    register(FAILING)
    provider = opened("moon", ground(tmp_path))
    for call in (provider.compute.machines, provider.provisioner.share):
        with pytest.raises(Unreadable, match=r"^provider moon fails in (machines|share): KeyError: .*two'$"):
            call("f")
    with pytest.raises(GuardRefused, match="never"):
        provider.compute.power_off(a_machine())


def test_two_packages_with_one_name_are_refused(register: Register, tmp_path: Path) -> None:
    register("")
    register("", value="other:opened", package="solar")
    assert refused(tmp_path).what == "provider moon is registered twice: by lunar 1.0 and solar 1.0"


def test_its_own_error_is_told_as_it_is(register: Register, tmp_path: Path) -> None:
    register(
        "from lifecycle.model.errors import SteadyError\n"
        "def opened(ground): raise SteadyError('no key', fix='set MOON_KEY')"
    )
    told = refused(tmp_path)
    assert (told.what, told.fix) == ("no key", "set MOON_KEY")

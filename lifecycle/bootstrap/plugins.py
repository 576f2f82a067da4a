"""Providers that other packages register. Whatever is wrong with one is said in one line, with its fix.

What a stranger's code raises beside our errors tells nothing of machines: it is Unreadable, and a tick goes on so.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.ports.compute import Compute
from lifecycle.ports.provider import CONTRACT, GROUP, Ground, Open, Provider
from lifecycle.ports.provisioner import Provisioner


def opened(name: str, ground: Ground) -> Provider:
    """The provider registered as `name`. Raises SteadyError when it is missing, broken or of another contract."""
    point = _registered(name)
    provider = _of(point)(ground)
    if not isinstance(provider, Provider):
        raise _broken(point, f"it gives {type(provider).__name__}, not a lifecycle.ports.provider.Provider")
    if provider.contract != CONTRACT:
        raise SteadyError(
            f"provider {name} keeps to contract {provider.contract}, this steady to contract {CONTRACT}",
            fix=f"install versions of {_package(point)} and steadyfleet that go together",
        )
    missing = [*_missing(provider.compute, Compute), *_missing(provider.provisioner, Provisioner)]
    if missing:
        raise _broken(point, f"it has no {', '.join(missing)}")
    return replace(
        provider,
        compute=cast(Compute, _Sheltered(provider.compute, point)),
        provisioner=cast(Provisioner, _Sheltered(provider.provisioner, point)),
    )


class _Sheltered:
    """A port as a stranger implements it, each call made safe."""

    def __init__(self, part: Any, point: EntryPoint) -> None:
        self._part, self._point = part, point

    def __getattr__(self, name: str) -> Any:
        found: Callable[..., Any] = getattr(self._part, name)

        @functools.wraps(found)
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                return found(*arguments, **named)
            except SteadyError:
                raise
            except Exception as error:
                raise self._unknown(name, error) from _shown(error)

        return call

    def _unknown(self, name: str, error: Exception) -> Unreadable:
        what = f"provider {self._point.name} fails in {name}: {type(error).__name__}: {_line(error)}"
        return Unreadable(what, fix=_mend(self._point))


def _registered(name: str) -> EntryPoint:
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise SteadyError(
            f"provider {name} is not installed", fix=f"pip install the package that registers it under {GROUP}"
        )
    if len({point.value for point in found}) > 1:
        packages = " and ".join(sorted(_package(point) for point in found))
        raise SteadyError(f"provider {name} is registered twice: by {packages}", fix="uninstall one of them")
    return found[0]


def _of(point: EntryPoint) -> Open:
    """What is registered, made safe to call: a stranger's fault is told as one."""

    def call(ground: Ground) -> Provider:
        try:
            found: Provider = point.load()(ground)
        except SteadyError:
            raise
        except Exception as error:
            raise _broken(point, f"{type(error).__name__}: {_line(error)}") from _shown(error)
        return found

    return call


def _shown(error: Exception) -> Exception | None:
    """Where it failed, for who asked for tracebacks."""
    return error if os.environ.get("STEADY_DEBUG") == "1" else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _broken(point: EntryPoint, why: str) -> SteadyError:
    return SteadyError(
        f"provider {point.name} ({point.value}) cannot be used: {why}",
        fix=_mend(point),
    )


def _mend(point: EntryPoint) -> str:
    return f"mend or upgrade {_package(point)}; STEADY_DEBUG=1 shows where it fails"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "its package"


def _missing(part: Any, port: type) -> list[str]:
    """What the port asks for and the part does not have."""
    wanted = [name for name in vars(port) if not name.startswith("_")]
    return [f"{port.__name__}.{name}" for name in wanted if not callable(getattr(part, name, None))]

"""Finds who acts on a fleet: this computer's provider, a plugged-in one, or the AWS foundation it stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path

from lifecycle.bootstrap import controller
from lifecycle.bootstrap.controller import Control
from lifecycle.bootstrap.known import Known
from lifecycle.model.errors import GuardRefused, SteadyError, WrongUsage
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.foundation import Foundation

HERE, PLUGGED = "this computer", "provider "


def place_of(spec: FleetSpec) -> str | None:
    """Where a spec's fleet lives: None is this computer, else a region, or `provider NAME` of another package."""
    if spec.provider == "aws":
        return spec.region
    return None if spec.provider == "local" else PLUGGED + spec.provider


class Controls:
    """What is open for one command. `region` was named for it; `fallback` counts for fleets not known here."""

    def __init__(self, state: Path, *, region: str | None = None, fallback: str | None = None) -> None:
        for name in (region, fallback):
            if name is not None and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", name):
                raise WrongUsage(f"{name!r} is not a region such as us-east-1", fix="see --region, STEADY_REGION")
        self._state, self._region, self._fallback = state, region, fallback
        self._known = Known(state)

    def of_spec(self, spec: FleetSpec, *, read_only: bool = False, fresh: bool = False) -> Control:
        """Who acts on the fleet of a spec. With `fresh` the foundation is asked what it is now.

        Raises GuardRefused when the fleet is applied elsewhere, as far as this state directory knows.
        """
        if spec.provider != "aws":
            return self._on_this_computer(spec.fleet, place_of(spec), read_only=read_only)
        assert spec.region is not None  # a spec without one is not sound
        if self._region not in (None, spec.region):
            raise WrongUsage(f"{spec.fleet} is of {spec.region}, not of {self._region}", fix="leave --region out")
        self._must_not_live_elsewhere(spec.fleet, spec.region)
        foundation = _read(spec.region) if fresh else self._foundation(spec.region)
        if not read_only:
            self._known.remember(foundation, spec.fleet)
        return _on(foundation)

    def of_fleet(self, fleet: str, *, read_only: bool = False) -> Control:
        """Who acts on a fleet that is named: where it was last used from here, else as the options say."""
        return self.at(self._region or self._place_of(fleet), read_only=read_only)

    def places(self) -> tuple[str | None, ...]:
        """Where fleets may be: None is this computer, the others are regions and `provider NAME`."""
        if self._region is not None:
            return (self._region,)
        named = {*self._known.regions(), *([self._fallback] if self._fallback else [])}
        return (None, *sorted(named), *(PLUGGED + name for name in self._known.providers()))

    def at(self, place: str | None, *, read_only: bool = False) -> Control:
        """Who acts in one of the `places`. Raises SteadyError when its provider cannot be used."""
        if place is None:
            return self.local(read_only=read_only)
        if place.startswith(PLUGGED):
            name = place.removeprefix(PLUGGED)
            return controller.plugged(self._known.state_of(name), name, read_only=read_only)
        foundation = self._foundation(place)
        if not read_only:
            self._known.remember(foundation, None)
        return _on(foundation)

    def local(self, *, read_only: bool) -> Control:
        return controller.local(self._state, read_only=read_only)

    def _on_this_computer(self, fleet: str, place: str | None, *, read_only: bool) -> Control:
        self._must_not_live_elsewhere(fleet, place)
        control = self.at(place, read_only=read_only)
        if place is not None and not read_only:
            self._known.used(fleet, place)
        return control

    @cached_property
    def _here(self) -> Control:
        return self.local(read_only=True)

    def _place_of(self, fleet: str) -> str | None:
        known = self._known.place_of(fleet)
        return known or (None if fleet in self._here.tracker.fleets() else self._fallback)

    def _foundation(self, region: str) -> Foundation:
        return self._known.foundation(region) or _read(region)

    def _must_not_live_elsewhere(self, fleet: str, place: str | None) -> None:
        """A fleet does not move: its machines and its history would stay behind, and its name mean two things."""
        before = self._known.place_of(fleet)
        if before == place:
            return
        there = self._here if before is None else self.at(before, read_only=True)
        if there.tracker.spec(fleet) is not None:
            raise GuardRefused(
                f"{fleet} is applied in {before or HERE}; a fleet does not move to {place or HERE}",
                fix="give this fleet another name, or `steady destroy` it there first",
                about="wrong region",
            )


def _on(foundation: Foundation) -> Control:
    with packages():
        from lifecycle.bootstrap import cloud
    return cloud.control(foundation)


@cache
def _read(region: str) -> Foundation:
    """The foundation as its stack tells it now. Raises SteadyError when there is none, or no login."""
    with packages():
        from lifecycle.adapters.pulumi import outputs
    return outputs.foundation(region)


@contextmanager
def packages() -> Iterator[None]:
    """What AWS needs is installed apart: says how, when it is not."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise SteadyError(
            f"provider aws needs a package that is not installed: {missing.name}",
            fix="pip install 'steadyfleet[aws,stacks]'",
            about="packages",
        ) from None

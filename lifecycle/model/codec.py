"""Model values to JSON and back: one strict codec for the tracker, the node's disk and `-o json`."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from lifecycle.model.quantities import Duration, Size

T = TypeVar("T")


def _to_plain(value: Any) -> str:
    if isinstance(value, Duration | Size):
        return str(value)
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


def _from_plain(kind: type, value: Any) -> Any:
    if issubclass(kind, Duration | Size) and isinstance(value, str):
        return kind.parse(value)
    raise ValueError(f"no {kind.__name__} from {value!r}")


_encoder = msgspec.json.Encoder(enc_hook=_to_plain)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    """`value` as compact JSON. Durations and sizes keep their written form."""
    return _encoder.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """The value of `kind` that `data` holds. Raises msgspec.DecodeError or its ValidationError."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind, dec_hook=_from_plain)
    found: T = decoder.decode(data)
    return found


def convert(value: Any, kind: type[T]) -> T:
    """Plain dicts, lists and scalars -> a model value. Raises msgspec.ValidationError."""
    return msgspec.convert(value, kind, dec_hook=_from_plain)


def plain(value: Any) -> Any:
    """A model value -> plain dicts, lists and scalars, for JSON documents."""
    return msgspec.to_builtins(value, enc_hook=_to_plain)

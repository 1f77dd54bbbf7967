"""Frozen dataclasses of the model as plain JSON trees and back, exactly: tuples, enums, None and infinity survive.

Trees carry every field by name. A reader that is newer fills fields it misses with their defaults; one that is older
leaves out fields it does not know. So recordings stay readable as the model grows.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Decoder = Callable[[Any], Any]


class CodecError(ValueError):
    """A tree that is not of the type it should be."""


def to_tree(value: Any) -> Any:
    """The value as dicts, lists, strings, numbers and None; floats that JSON lacks become "inf", "-inf", "nan"."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (tuple, list)):
        return [to_tree(item) for item in value]
    if isinstance(value, dict):
        return {key: to_tree(item) for key, item in value.items()}
    kind: Any = type(value)
    return {name: to_tree(getattr(value, name)) for name in _names(kind)}


def from_tree(kind: type[T], tree: Any) -> T:
    """The value of type `kind` that `to_tree` made `tree` of. Raises CodecError."""
    wanted: Any = kind
    try:
        built: T = _decoder(wanted)(tree)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CodecError(f"not a {kind.__name__}: {error}") from error
    return built


@cache
def _names(kind: Any) -> tuple[str, ...]:
    if not is_dataclass(kind):
        raise TypeError(f"a {kind.__name__} cannot be recorded")
    return tuple(field.name for field in fields(kind))


@cache
def _decoder(kind: Any) -> Decoder:
    """How to read one annotated type; made once, since a frame has thousands of fields."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional(args)
    if origin is tuple:
        return _tuple_of(args)
    if origin is dict:
        of_item = _decoder(args[1])
        return lambda tree: {key: of_item(item) for key, item in tree.items()}
    if is_dataclass(kind):
        return _dataclass(kind)
    return _plain(kind)


def _plain(kind: Any) -> Decoder:
    if kind is float:
        return float
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return lambda tree: _checked(kind, tree)


def _checked(kind: type, tree: Any) -> Any:
    if not isinstance(tree, kind):
        raise CodecError(f"{tree!r} is not a {kind.__name__}")
    return tree


def _optional(args: tuple[Any, ...]) -> Decoder:
    rest = [arg for arg in args if arg is not type(None)]
    if len(rest) != 1:
        raise TypeError(f"cannot tell {args} apart in a recording")
    inner = _decoder(rest[0])
    return lambda tree: None if tree is None else inner(tree)


def _tuple_of(args: tuple[Any, ...]) -> Decoder:
    if len(args) == 2 and args[1] is Ellipsis:
        of_item = _decoder(args[0])
        return lambda tree: tuple([of_item(item) for item in tree])
    each = [_decoder(arg) for arg in args]
    return lambda tree: tuple([decode(item) for decode, item in zip(each, tree, strict=True)])


def _dataclass(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {name: _decoder(hints[name]) for name in _names(kind)}

    def build(tree: Any) -> Any:
        return kind(**{name: decode(tree[name]) for name, decode in decoders.items() if name in tree})

    return build

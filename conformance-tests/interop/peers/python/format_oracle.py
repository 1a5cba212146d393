"""Python's readers of CBOR (cbor2) and JSON as oracles: one JSON object a line, a batch of inputs in, what was read of each out.

  {"id": 1, "do": "cbor", "inputs": ["83010203", ...]}     {"id": 1, "ok": {"results": [{"tree": ..., "again": "83010203"}, null, ...]}}
  {"id": 2, "do": "json", "inputs": ["5b315d", ...]}       {"id": 2, "ok": {"results": [{"tree": ...}, null, ...]}}
  {"id": 3, "do": "numbers", "inputs": ["1e3", ...]}       {"id": 3, "ok": {"results": [{"float": "408f400000000000", "integer": "1000"}, ...]}}

null: not accepted. `again`: the value as the library writes it. Trees are lists whose first item names the kind.
"""

import io
import json
import os
import struct
import sys
from decimal import Decimal

import cbor2

#: Tags that say what their content means, without changing it.
TRANSPARENT = {21, 22, 23, 55799}


def float_tree(value):
    return ["float", "nan" if value != value else struct.pack(">d", value).hex()]


def key_tree(key):
    if type(key) is int and -(2**31) <= key < 2**31:
        return ["integer", str(key)]
    return ["text", units(str(key))]


def units(text):
    """Refuses a lone surrogate of a JSON escape, which is no character (a UnicodeEncodeError is a ValueError)."""
    return text.encode("utf-16-be").hex()


def tree(value):
    if value is None or value is cbor2.undefined:
        return ["null"]
    if isinstance(value, bool):
        return ["boolean", value]
    if isinstance(value, int):
        return ["integer", str(value)]
    if isinstance(value, float):
        return float_tree(value)
    if isinstance(value, str):
        return ["text", units(value)]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, (list, tuple)):
        return ["array", [tree(item) for item in value]]
    if isinstance(value, dict):
        return ["map", [[key_tree(key), tree(item)] for key, item in value.items()]]
    if isinstance(value, cbor2.CBORTag) and value.tag in TRANSPARENT:
        return tree(value.value)
    return ["other", type(value).__name__]


def read_cbor(item):
    stream = io.BytesIO(bytes.fromhex(item))
    try:
        value = cbor2.CBORDecoder(stream).decode()
        if stream.read(1):
            return None
        return {"tree": tree(value), "again": cbor2.dumps(value).hex()}
    except Exception:  # whatever it is, the input was not accepted
        return None


class Number(str):
    """As written."""


def json_tree(value):
    if isinstance(value, Number):
        return ["number", str(value)]
    if isinstance(value, list):
        return ["array", [json_tree(item) for item in value]]
    if isinstance(value, tuple):
        return ["map", [[units(key), json_tree(item)] for key, item in value]]
    if isinstance(value, str):
        return ["text", units(value)]
    return tree(value)


def refuse(constant):
    raise ValueError(constant)


def unique(pairs):
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a name twice")
    return tuple(pairs)


def read_json(item):
    try:
        text = bytes.fromhex(item).decode("utf-8")
        value = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=refuse, object_pairs_hook=unique)
        return {"tree": json_tree(value)}
    except (ValueError, RecursionError):
        return None


def read_number(text):
    exact = Decimal(text)
    whole = exact == exact.to_integral_value() if abs(exact.adjusted()) < 400 else False
    return {"float": struct.pack(">d", float(text)).hex(), "integer": str(int(exact)) if whole else None}


def say(value):
    """A line of JSON. `print` drops the rest of a long line when the process is stopped and continued (SIGSTOP) in the middle of its write."""
    rest = memoryview((json.dumps(value) + "\n").encode())
    while rest:
        rest = rest[os.write(1, rest) :]


READERS = {"cbor": read_cbor, "json": read_json, "numbers": read_number}

say({"ready": True})
for line in sys.stdin:
    command = json.loads(line)
    results = [READERS[command["do"]](item) for item in command["inputs"]]
    say({"id": command["id"], "ok": {"results": results}})

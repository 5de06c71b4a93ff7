"""The JSON Schemas of dynamo-node's files say what the node itself says (its own tests are in C++)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

NODE = Path(__file__).resolve().parents[2] / "framework" / "node"


def validator(name: str) -> jsonschema.Draft7Validator:
    schema = json.loads((NODE / name).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def one_node(**fields: Any) -> dict[str, Any]:
    return {"nodes": {"n1": fields}}


GOOD_ADDRESS = "127.0.0.1:7001"


@pytest.mark.parametrize("address", [GOOD_ADDRESS, "[::1]:0"])
def test_peers_that_the_node_takes(address: str) -> None:
    assert validator("peers.schema.json").is_valid(one_node(peer=address, http=address))


@pytest.mark.parametrize(
    "peers",
    [
        {},
        {"nodes": {}},
        {"nodes": {"N1": {"peer": GOOD_ADDRESS, "http": GOOD_ADDRESS}}},
        one_node(peer=GOOD_ADDRESS),
        one_node(peer=GOOD_ADDRESS, http=GOOD_ADDRESS, more=1),
        one_node(peer="localhost:7001", http=GOOD_ADDRESS),
        one_node(peer="127.0.0.1", http=GOOD_ADDRESS),
    ],
)
def test_peers_that_the_node_refuses(peers: dict[str, Any]) -> None:
    assert not validator("peers.schema.json").is_valid(peers)


def test_config() -> None:
    config = validator("config.schema.json")
    assert config.is_valid({})
    assert config.is_valid({"q": 64, "gossip_period_ms": 0.5, "seeds": ["n1"]})
    assert not config.is_valid({"q": "64"})
    assert not config.is_valid({"gossip_period": 1000})

"""Our own document (results.schema.json), for what reads that."""

from __future__ import annotations

from dynamolab.formats import View
from dynamolab.results import Results, json_text


def render(results: Results, _view: View) -> str:
    return json_text(results.document())

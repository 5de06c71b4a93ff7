"""The HTTP API of one node, with deadlines."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .errors import ClusterTrouble, NodeSilent

ANSWER_LIMIT_BYTES = 64 << 20


@dataclass(frozen=True)
class Answer:
    """What a node answered: the status and the JSON body (or the text, if it is none)."""

    status: int
    body: Any

    @property
    def error_code(self) -> str:
        """"already_exists" …; empty if this is no error."""
        if isinstance(self.body, dict) and isinstance(self.body.get("error"), dict):
            return str(self.body["error"].get("code", ""))
        return ""

    def __str__(self) -> str:
        if isinstance(self.body, dict) and isinstance(self.body.get("error"), dict):
            return f"{self.status} {self.error_code}: {self.body['error'].get('message', '')}"
        return f"{self.status} {json.dumps(self.body)}"


class NodeClient:
    """Talks to one node. NodeSilent when there is no whole answer in time: then it is unknown
    whether the request was carried out."""

    def __init__(self, name: str, address: str, timeout_s: float = 10.0, token: str = "") -> None:
        """``token``: of a node that is open to a network, for what is the operator's alone."""
        self.name = name
        self.address = address
        self.timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def request(
        self, method: str, path: str, body: bytes | None = None, timeout_s: float | None = None
    ) -> Answer:
        host, _, port = self.address.rpartition(":")
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        connection = http.client.HTTPConnection(host, int(port), timeout=limit_s)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, body, self._headers)
                response = connection.getresponse()
                raw = response.read(ANSWER_LIMIT_BYTES)
            except (OSError, http.client.HTTPException) as error:
                why = f"within {limit_s:g} s" if isinstance(error, TimeoutError) else f"({error!r})"
                raise NodeSilent(f"{self.name} gave no answer to {method} {path} {why}") from error
        return Answer(response.status, _parsed(raw))

    def get(self, path: str, timeout_s: float | None = None) -> Any:
        """The body of a GET that must succeed."""
        answer = self.request("GET", path, timeout_s=timeout_s)
        if answer.status != 200:
            raise ClusterTrouble(f"{self.name} answered GET {path} with {answer}")
        return answer.body

    def view(self) -> dict[str, Any]:
        return self.get("/admin/view")

    def members(self) -> list[str]:
        return self.view()["members"]

    def suspects(self) -> list[str]:
        return self.view()["suspects"]

    def history(self) -> dict[str, Any]:
        return self.get("/admin/history")

    def ring(self) -> dict[str, Any]:
        return self.get("/admin/ring")

    def placement(self, key: str) -> dict[str, Any]:
        return self.get(f"/admin/ring?key={quote(key, safe='')}")

    def hints(self) -> dict[str, Any]:
        """How many keys the node keeps for their owners, and the first of them."""
        return self.get("/admin/hints")

    def held(self, key: str) -> dict[str, Any]:
        """What the node holds of a key, and what it keeps of it for others."""
        return self.get(f"/admin/held/{quote(key, safe='')}")

    def tree(self, vnode: int) -> dict[str, Any]:
        """The keys of a vnode and where they lie in its Merkle tree."""
        return self.get(f"/admin/tree/{vnode}")

    def skew(self, ms: int) -> Answer:
        return self.request("POST", f"/admin/skew/{ms}")

    def add(self, subject: str) -> Answer:
        return self.request("POST", f"/admin/members/{quote(subject, safe='')}")

    def remove(self, subject: str) -> Answer:
        return self.request("DELETE", f"/admin/members/{quote(subject, safe='')}")


def _parsed(raw: bytes) -> Any:
    text = raw.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text

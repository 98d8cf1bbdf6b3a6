"""A local server that answers as image services do, faults included."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Lock, Thread
from typing import Any

import pytest
from huggingface_hub.inference._providers import PROVIDERS as PROVIDERS_OF_CLIENT
from PIL import Image

KEY = "hf_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6"
MODEL = "owner/draws"
PROVIDERS = ["fal-ai", "replicate", "together", "hf-inference"]
# What a service does wrong; "hang" waits until the server is told to go on.
FAULTS = ["429", "500", "503", "half", "wrong bytes", "refused", "quota", "hang", "cut off"]


def picture(prompt: str, seed: int = 0, side: int = 32) -> bytes:
    """A PNG that prompt and seed decide alone."""
    noise = Random(f"{prompt}/{seed}").randbytes(side * side * 3)
    content = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(content, "PNG")
    return content.getvalue()


@dataclass
class Asked:
    """One request that the server got."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    fault: str
    began: float


@dataclass
class Service:
    """The server, as a test sees it.

    Attributes:
        address: Such as "http://127.0.0.1:1234".
        fault: The fault for each picture by its number; "" for none.
        seconds: How long a picture takes.
        retry_after: The header of a 429.
        asked: All requests for pictures so far.
        most: The largest number of requests at the same time.
        released: Ends the hanging of answers.
    """

    address: str = ""
    fault: Callable[[int], str] = lambda _: ""
    seconds: float = 0.0
    retry_after: str = ""
    asked: list[Asked] = field(default_factory=list)
    most: int = 0
    released: Event = field(default_factory=Event)
    inside: int = 0
    lock: Lock = field(default_factory=Lock)

    @property
    def openai(self) -> str:
        return f"{self.address}/v1"

    @property
    def endpoint(self) -> str:
        return f"{self.address}/endpoint"


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"
    # Head and body in one packet.
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(200, b"", "text/html")

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            mapping = {
                name: {"providerId": f"{name}-draws", "status": "live", "task": "text-to-image"}
                for name in PROVIDERS
            }
            known = {"id": MODEL, "pipeline_tag": "text-to-image", "modelId": MODEL}
            self._json(200, known | {"inferenceProviderMapping": mapping})
        elif not self.path.startswith("/files/"):
            # The client also asks the hub for things that no drawing needs.
            self._json(404, {"error": "not found"})
        else:
            prompt, seed = base64.urlsafe_b64decode(self.path.rpartition("/")[2]).split(b"\0")
            self._send(200, picture(prompt.decode(), int(seed)), "image/png")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        service = self.service
        with service.lock:
            fault = service.fault(len(service.asked))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append(Asked(self.path, headers, body, fault, time.monotonic()))
            service.inside += 1
            service.most = max(service.most, service.inside)
        try:
            time.sleep(service.seconds)
            self._answer(fault, body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with service.lock:
                service.inside -= 1

    def _answer(self, fault: str, body: dict[str, Any]) -> None:
        if fault == "hang":
            self.service.released.wait(30)
            self.close_connection = True
        elif fault == "cut off":
            self.close_connection = True
        elif fault in {"429", "500", "503"}:
            key = self.headers.get("authorization", "")
            head = {"retry-after": self.service.retry_after} if fault == "429" else {}
            # Some services repeat in an error what they were sent.
            error = {"message": f"not now, {key}", "code": "busy"}
            self._json(int(fault), {"error": error}, head)
        elif fault == "401":
            key = self.headers.get("authorization", "")
            self._json(401, {"error": {"message": f"Incorrect API key provided: {key}"}})
        elif fault == "refused":
            error = {"message": "rejected by our safety system", "code": "moderation_blocked"}
            self._json(400, {"error": error})
        elif fault == "quota":
            error = {"message": "check your plan and billing", "code": "insufficient_quota"}
            self._json(429, {"error": error})
        else:
            self._draw(fault, body)

    def _draw(self, fault: str, body: dict[str, Any]) -> None:
        given = body.get("input", body)
        prompt = given.get("prompt") or body.get("inputs", "")
        seed = int(body.get("parameters", given).get("seed", 0))
        content = picture(prompt, seed)
        if fault == "wrong bytes":
            content = b"<html>The model is loading</html>"
        if self.path.startswith("/endpoint") or "/hf-inference/" in self.path:
            self._send(200, content, "image/png", half=fault == "half")
            return
        name = base64.urlsafe_b64encode(f"{prompt}\0{seed}".encode()).decode()
        url = f"{self.service.address}/files/{name}"
        if fault == "wrong bytes":
            url = f"{self.service.address}/api/models/x"
        data = {"b64_json": base64.b64encode(content).decode()}
        if fault == "address":
            data = {"url": url}
        answers = {
            "/v1": {"created": 1, "data": [data]},
            "/to": {"data": [data]},
            "/fa": {"images": [{"url": url}]},
            "/re": {"output": [url]},
        }
        told = json.dumps(answers[self.path[:3]]).encode()
        self._send(200, told, "application/json", half=fault == "half")

    def _json(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), "application/json", headers)

    def _send(
        self,
        status: int,
        content: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        *,
        half: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        for name, value in (headers or {}).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if half else content)
        self.wfile.flush()
        if half:
            self.close_connection = True


@contextmanager
def running_service() -> Iterator[Service]:
    """A server of one's own, with the Hugging Face client turned to it and a key set."""
    service = Service()
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    router = f"{service.address}/{{provider}}"
    # This one reads the router's address when it is imported.
    own = PROVIDERS_OF_CLIENT["hf-inference"]["text-to-image"]
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HF_TOKEN", KEY)
            patch.setenv("OPENAI_API_KEY", KEY)
            patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
            patch.setattr("huggingface_hub.constants.ENDPOINT", service.address)
            patch.setattr("huggingface_hub.constants.INFERENCE_PROXY_TEMPLATE", router)
            patch.setattr(own, "base_url", router.format(provider="hf-inference"))
            yield service
    finally:
        service.released.set()
        server.shutdown()
        server.server_close()

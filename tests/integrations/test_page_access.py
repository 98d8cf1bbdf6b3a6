"""Who may talk to the page and to the MCP server, and what visitors leave behind."""

from __future__ import annotations

import gc
import io
import os
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from browsing import chromium, served
from files_of_images import encoded, photograph
from gradio_dar import (
    ProxyHeader,
    Rights,
    create_app,
    line_for,
    read_rights,
    read_users,
    serving,
)
from gradio_dar.proxy import SignedIn
from gradio_dar.uploads import UploadLimits, Uploads
from mcp_dar import create_server, http_app, serve_http
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dar_retriever import (
    DiffusionAugmentedRetriever,
    InvalidInputError,
    StoreUnavailableError,
)
from dar_retriever.support.web_access import AccessGuard, is_loopback

PICTURE = encoded(photograph(1), "PNG")
EVIL = "evil.example"
REQUESTS = {
    "the page": ("GET", "/", {}),
    "its settings": ("GET", "/config", {}),
    "a static file": ("GET", "/static/img/logo.svg", {}),
    "a file": ("GET", "/gradio_api/file=/etc/hostname", {}),
    "the event stream": ("GET", "/gradio_api/queue/data?session_hash=abc", {}),
    "the queue": (
        "POST",
        "/gradio_api/queue/join",
        {"json": {"data": [], "fn_index": 0, "session_hash": "abc"}},
    ),
    "ticked pictures": ("POST", "/selected.zip", {"data": {"ids": "x"}}),
    "an upload": ("POST", "/gradio_api/upload", {"files": {"files": ("a.png", PICTURE)}}),
}


@pytest.fixture(scope="module")
def address(demo: DiffusionAugmentedRetriever) -> Iterator[str]:
    with served(create_app(demo)) as address:
        yield address


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


@pytest.mark.parametrize("what", REQUESTS)
def test_another_name_gets_nothing(address: str, what: str):
    method, path, options = REQUESTS[what]
    headers = {"Host": f"{EVIL}:{port_of(address)}"}

    answer = httpx.request(method, address + path, headers=headers, **options)

    assert answer.status_code == 421
    assert "--allowed-host" in answer.text
    assert len(answer.text.splitlines()) == 1


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("origin", [f"http://{EVIL}", "null", "http://127.0.0.1:1", "file://"])
def test_pages_of_other_origins_get_nothing(address: str, what: str, origin: str):
    method, path, options = REQUESTS[what]

    answer = httpx.request(method, address + path, headers={"Origin": origin}, **options)

    assert answer.status_code == 403
    assert "--allowed-host" in answer.text


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_this_machines_names_are_answered(address: str, name: str):
    host = f"{name}:{port_of(address)}"

    answer = httpx.get(f"{address}/config", headers={"Host": host, "Origin": f"http://{host}"})

    assert answer.status_code == 200


def test_ipv6_is_answered(demo: DiffusionAugmentedRetriever):
    with serving(create_app(demo), host="::1", port=0) as address:
        assert httpx.get(f"{address}config").status_code == 200
        foreign = httpx.get(f"{address}config", headers={"Host": f"[2001:db8::1]:{1}"})
    assert foreign.status_code == 421


def test_everything_is_answered_with_the_headers_that_keep_others_out(address: str):
    for path in ("/", "/config", "/static/img/logo.svg", "/nothing"):
        headers = httpx.get(address + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]
        assert "script-src 'self' 'unsafe-inline'" not in headers["content-security-policy"]
        for cookie in headers.get_list("set-cookie"):
            assert "samesite=strict" in cookie.lower() or "samesite=lax" in cookie.lower()


def test_only_the_scripts_of_the_template_are_marked_anew_each_time(address: str):
    marks = set()
    for _ in range(2):
        answer = httpx.get(f"{address}/", headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        (mark,) = re.findall("script-src 'self' 'nonce-([^']+)' 'unsafe-eval';", policy)
        assert answer.text.count("<script") == answer.text.count(f'<script nonce="{mark}"') > 3
        marks.add(mark)
    assert len(marks) == 2


@contextmanager
def proxied(target: str, *, keeps_host: bool) -> Iterator[str]:
    """A reverse proxy on loopback in front of a server."""

    async def hand_on(request: Request) -> Response:
        headers = dict(request.headers)
        if not keeps_host:
            headers["host"] = target.removeprefix("http://")
        async with httpx.AsyncClient() as client:
            answer = await client.request(
                request.method,
                target + request.url.path,
                params=request.query_params,
                headers=headers,
                content=await request.body(),
            )
        return Response(answer.content, answer.status_code)

    app = Starlette(routes=[Route("/{path:path}", hand_on, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("keeps_host", [True, False])
def test_behind_a_proxy_that_is_named(demo: DiffusionAugmentedRetriever, *, keeps_host: bool):
    name = "photos.example.org"
    with (
        serving(create_app(demo), port=0, allowed_hosts=[name]) as address,
        proxied(address.rstrip("/"), keeps_host=keeps_host) as proxy,
    ):
        headers = {"Host": name, "Origin": f"https://{name}"}
        page = httpx.get(proxy, headers=headers)
        settings = httpx.get(f"{proxy}/config", headers=headers)
        other = httpx.get(f"{proxy}/config", headers={**headers, "Origin": f"https://{EVIL}"})

    assert (page.status_code, settings.status_code, other.status_code) == (200, 200, 403)


def test_a_browser_under_another_name_gets_nothing(address: str):
    rule = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
    evil = f"http://{EVIL}:{port_of(address)}"
    ask = """async (make) => {
        const answer = await eval(make)();
        return [answer.status, (await answer.text()).length];
    }"""
    asked = [
        "() => fetch('/')",
        "() => fetch('/config')",
        "() => fetch('/gradio_api/queue/data?session_hash=abc')",
        "() => fetch('/gradio_api/queue/join', {method: 'POST', body: '{}'})",
        """() => {
            const form = new FormData();
            form.append('files', new Blob(['x']), 'x.png');
            return fetch('/gradio_api/upload', {method: 'POST', body: form});
        }""",
    ]
    with chromium(rule) as browser:
        page = browser.new_page()
        opened = page.goto(evil)
        assert opened is not None
        assert opened.status == 421
        assert page.locator("#message").count() == 0
        answers = [page.evaluate(ask, make) for make in asked]
        stream = page.evaluate(
            """() => new Promise((done) => {
                const stream = new EventSource('/gradio_api/queue/data?session_hash=abc');
                stream.onopen = () => done('opened');
                stream.onerror = () => done('refused');
            })"""
        )
    assert {status for status, _ in answers} == {421}
    assert all(length < 200 for _, length in answers)
    assert stream == "refused"


OPEN = r"host='0\.0\.0\.0': whoever reaches this machine could search the store\. Protect it with "


def test_off_loopback_page_and_mcp_are_refused_in_the_same_words(
    demo: DiffusionAugmentedRetriever,
):
    page = create_app(demo)
    with (
        pytest.raises(InvalidInputError, match=OPEN + ".*--users.*--allow-anyone"),
        serving(page, host="0.0.0.0", port=0),  # noqa: S104
    ):
        pass
    with pytest.raises(InvalidInputError, match=OPEN + ".*--token.*--allow-anyone"):
        serve_http(create_server(demo), host="0.0.0.0")  # noqa: S104
    with serving(page, host="0.0.0.0", port=0, allow_anyone=True) as address:  # noqa: S104
        assert httpx.get(f"http://127.0.0.1:{address.rstrip('/').rsplit(':', 1)[1]}").is_success


def test_a_taken_port_is_said_in_one_line(demo: DiffusionAugmentedRetriever, address: str):
    port = port_of(address)
    with (
        pytest.raises(InvalidInputError, match=f"port={port}: .*another port"),
        serving(create_app(demo), port=port),
    ):
        pass


def test_passwords_are_asked_for_everything(demo: DiffusionAugmentedRetriever, tmp_path: Path):
    file = tmp_path / "users"
    file.write_text(f"# who\n\n{line_for('ada', 'lovelace')}\n")
    assert "lovelace" not in file.read_text()
    with serving(create_app(demo), port=0, users=read_users(file)) as address:
        for what in sorted(REQUESTS.keys() - {"the page", "a static file", "a file"}):
            method, path, options = REQUESTS[what]
            cookies = {"dar-visitor": "me"}
            assert httpx.request(
                method, address.rstrip("/") + path, cookies=cookies, **options
            ).status_code in (
                401,
                403,
            )
        with httpx.Client(base_url=address) as client:
            for name, password in (("ada", "wrong"), ("bob", "lovelace"), ("", "")):
                form = {"username": name, "password": password}
                assert client.post("/login", data=form).status_code in (400, 422)
            entered = client.post("/login", data={"username": "ada", "password": "lovelace"})
            assert entered.status_code == 200
            for cookie in entered.headers.get_list("set-cookie"):
                assert "httponly" in cookie.lower()
                assert "samesite=lax" in cookie.lower()


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read"), ("ada\n", "line 1"), ("ada:plain\n", "line 1"), ("#\n", "nobody")],
)
def test_a_file_of_users_that_is_none_is_refused(tmp_path: Path, content: str | None, why: str):
    file = tmp_path / "users"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidInputError, match=why):
        read_users(file)


@pytest.mark.parametrize(("name", "password"), [("", "x"), ("a:b", "x"), (" a", "x"), ("a", "")])
def test_names_and_passwords_of_no_use_are_refused(name: str, password: str):
    with pytest.raises(InvalidInputError):
        line_for(name, password)


async def test_only_those_whom_the_proxy_names_are_let_in():
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await Response("in")(scope, receive, send)

    app = SignedIn(answering, ProxyHeader("X-Forwarded-User", ("10.0.0.1",)))
    ada = [("X-Forwarded-User", "ada")]
    for address, path, headers, status in (
        ("10.0.0.1", "/", ada, 200),
        ("10.0.0.1", "/", [], 401),
        ("10.0.0.1", "/", [("X-Forwarded-User", "")], 401),
        ("10.0.0.1", "/", [*ada, ("x-forwarded-user", "bob")], 401),
        ("10.0.0.2", "/", ada, 403),
        ("10.0.0.2", "/health", [], 200),
    ):
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            assert (await client.get(path, headers=headers)).status_code == status
    with pytest.raises(InvalidInputError, match=r"10\.0\.0\.0/8"):
        ProxyHeader("X-Forwarded-User", ("10.0.0.0/8",))


def test_several_stores_are_open_to_those_who_may(
    demo: DiffusionAugmentedRetriever, tmp_path: Path
):
    file = tmp_path / "rights"
    file.write_text("# who\nada: photos\nbob: photos, shop\n")
    rights = read_rights(file, ["photos", "shop"])
    pages = {name: create_app(demo, name=name, examples=()) for name in ("photos", "shop")}
    header = ProxyHeader("X-User")
    with (
        serving(pages, port=0, sign_in=header, rights=rights) as address,
        httpx.Client(base_url=address, cookies={"dar-visitor": "me"}) as client,
    ):
        assert client.get("/health").text == "ok\n"
        assert client.get("/").status_code == 401
        for person, opened in (("ada", ["photos"]), ("bob", ["photos", "shop"]), ("eve", [])):
            headers = {"X-User": person}
            listed = client.get("/", headers=headers).text
            assert re.findall('href="([a-z]+)/"', listed) == opened
            for store in ("photos", "shop"):
                status = 200 if store in opened else 403
                for path in ("", "config", "static/img/logo.svg"):
                    place = f"/{store}/{path}"
                    assert client.get(place, headers=headers).status_code == status, place
                asked = client.post(f"/{store}/selected.zip", headers=headers, data={"ids": ""})
                assert asked.status_code == (400 if status == 200 else 403)
        settings = client.get("/shop/config", headers={"X-User": "bob"}).json()
        assert settings["root"].endswith("/shop")


def test_a_password_opens_only_the_stores_of_its_owner(demo: DiffusionAugmentedRetriever):
    users = {name: line_for(name, "secret").partition(":")[2] for name in ("ada", "eve")}
    pages = {name: create_app(demo, name=name, examples=()) for name in ("photos", "shop")}
    rights = Rights({"ada": ["photos"]})
    with serving(pages, port=0, users=users, rights=rights) as address:
        for person, store, status in (
            ("ada", "photos", 200),
            ("ada", "shop", 400),
            ("eve", "photos", 400),
        ):
            with httpx.Client(base_url=f"{address}{store}/") as client:
                form = {"username": person, "password": "secret"}
                assert client.post("login", data=form).status_code == status
                assert client.get("config").status_code == (200 if status == 200 else 401)
    with pytest.raises(InvalidInputError, match="--users"), serving(pages, port=0, rights=rights):
        pass


@pytest.mark.parametrize("line", ["ada", ": photos", "ada: garden"])
def test_rights_that_name_nobody_or_no_store_are_refused(tmp_path: Path, line: str):
    file = tmp_path / "rights"
    file.write_text(line)
    with pytest.raises(InvalidInputError, match="line 1: write NAME"):
        read_rights(file, ["photos"])
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_rights(tmp_path / "none", ["photos"])


def test_health_and_ticked_pictures_are_answered(
    demo: DiffusionAugmentedRetriever, address: str, monkeypatch: pytest.MonkeyPatch
):
    assert httpx.get(f"{address}/health").text == "ok\n"
    hit = demo.search("a mug", 1).hits[0]
    zipped = httpx.post(f"{address}/selected.zip", data={"ids": hit.id})
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert archive.namelist() == [hit.file_name]
    for body, status in (({}, 400), ({"ids": "x" * 70_000}, 413)):
        assert httpx.post(f"{address}/selected.zip", data=body).status_code == status

    def fail(*_: Any) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(demo.store, "known", fail)
    assert httpx.get(f"{address}/health").status_code == 503


def left_on_disk() -> list[str]:
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    return [str(path) for path in folder.rglob("*") if path.is_file()]


def upload(client: httpx.Client, picture: bytes = PICTURE) -> httpx.Response:
    return client.post("/gradio_api/upload", files={"files": ("mine.png", picture)})


def test_what_visitors_upload_is_bounded_and_goes_with_them(demo: DiffusionAugmentedRetriever):
    page: Any = create_app(demo)
    page.uploads.limits = UploadLimits(files=3, bytes=4 * len(PICTURE), seconds=3600)
    with serving(page, port=0) as address:
        assert upload(httpx.Client(base_url=address)).status_code == 403
        for number in range(20):
            with httpx.Client(base_url=address) as visitor:
                if number < 3:
                    assert visitor.get("/").status_code == 200
                else:
                    visitor.cookies.set("dar-visitor", f"visitor-{number}")
                assert upload(visitor).status_code == 200
        with httpx.Client(base_url=address) as greedy:
            greedy.cookies.set("dar-visitor", "greedy")
            assert upload(greedy, b"x" * 8 * len(PICTURE)).status_code == 413
            assert [upload(greedy).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        # Equal files lie at one place.
        assert left_on_disk()
        for visitor_name in list(page.uploads._of):
            page.uploads.leave(visitor_name)
        # What was refused goes when its connection has ended, a moment after the answer.
        waited_until = time.monotonic() + 10
        while left_on_disk() and time.monotonic() < waited_until:
            # A form that was cut off is in a circle with its error.
            gc.collect()
            time.sleep(0.05)
        assert left_on_disk() == []
        assert page.uploads._of == {}
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert not folder.exists()


def test_what_is_never_sent_is_removed(tmp_path: Path):
    uploads = Uploads(UploadLimits(seconds=0.05))
    file = tmp_path / "hash" / "mine.png"
    file.parent.mkdir()
    file.write_bytes(PICTURE)
    uploads.add("me", [str(file)])

    time.sleep(0.1)
    uploads.remove_old()

    assert not file.parent.exists()
    assert uploads.room("me") == (16, 64 * 2**20)


def test_the_mcp_server_is_guarded_alike(demo: DiffusionAugmentedRetriever):
    app = http_app(create_server(demo), allowed_hosts=["images.example.org"])
    ask = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        codes = [
            client.post("/mcp", json=ask, headers=headers).status_code
            for headers in (
                {"Host": EVIL},
                {"Origin": f"http://{EVIL}"},
                {"Host": "images.example.org", "Origin": "https://images.example.org"},
            )
        ]
    assert codes[:2] == [421, 403]
    assert codes[2] not in (421, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_is_known(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])  # noqa: S104
def test_the_rest_is_not_loopback(host: str):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([b"localhost"], 200),
        ([b"[::1]:80"], 200),
        ([], 421),
        ([b"localhost", b"evil.example"], 421),
        ([b"localhost.evil.example"], 421),
        ([b"evil.example@localhost"], 421),
        ([b"localhost/evil"], 421),
        ([b"localhost:x"], 421),
        ([b"photos.example.org:8443"], 200),
        ([b"photos.example.org"], 421),
    ],
)
async def test_names_are_read_strictly(hosts: list[bytes], status: int):
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    guard = AccessGuard(answering, allowed_hosts=["photos.example.org:8443"])
    scope = {"type": "http", "headers": [(b"host", host) for host in hosts]}
    await guard(scope, None, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == status

"""What references in a conversation may open: files of folders, addresses of the web, nothing."""

from __future__ import annotations

import base64
import gzip
import io
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever import Dialogue, Hit, ImageAccess, InvalidImageError, InvalidInputError
from dar_retriever.conversation.download import is_public
from dar_retriever.conversation.image_access import local_path
from dar_retriever.stores.hits import uri_of

RED = (220, 20, 30)
SIZE = (8, 6)
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", SIZE, RED).save(stream, "PNG")
    return stream.getvalue()


PNG = png()
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


class Handler(BaseHTTPRequestHandler):
    """Answers by the path that it is asked for, well and badly."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []
    gone_on: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        self.asked.append((self.path, dict(self.headers.items())))
        name = self.path.partition("?")[0].strip("/")
        kind, _, rest = name.partition("/")
        try:
            getattr(self, f"answer_{kind.partition('.')[0]}")(rest)
        except OSError:
            self.gone_on.set()

    def reply(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_dress(self, rest: str) -> None:
        self.reply(PNG, Content_Type="image/png")

    def answer_bare(self, rest: str) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + PNG)

    def answer_page(self, rest: str) -> None:
        self.reply(b"<html>secret</html>", Content_Type="image/png")

    def answer_status(self, rest: str) -> None:
        self.reply(PNG, int(rest))

    def answer_again(self, rest: str) -> None:
        left = int(rest)
        self.reply(status=302, Location=f"/again/{left - 1}" if left > 1 else "/dress.png")

    def answer_circle(self, rest: str) -> None:
        self.reply(status=302, Location="/circle")

    def answer_to(self, rest: str) -> None:
        self.reply(status=307, Location=bytes.fromhex(rest).decode())

    def answer_nowhere(self, rest: str) -> None:
        self.reply(status=302)

    def answer_endless(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(2**16))

    def answer_announced(self, rest: str) -> None:
        self.reply(PNG, Content_Length=str(2**40))

    def answer_short(self, rest: str) -> None:
        self.reply(PNG, Content_Length=str(len(PNG) + 5))

    def answer_packed(self, rest: str) -> None:
        self.reply(gzip.compress(bytes(2**24)), Content_Encoding="gzip")

    def answer_slow(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.drip()

    def answer_slowhead(self, rest: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        self.drip()

    def answer_interim(self, rest: str) -> None:
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)

    def answer_silent(self, rest: str) -> None:
        time.sleep(20)

    def answer_broken(self, rest: str) -> None:
        self.wfile.write(b"not http at all\r\n\r\n")

    def drip(self) -> None:
        for _ in range(600):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Site:
    """A server on this machine, and what it was asked for."""

    port: int
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield Site(httpd.server_port, Handler.asked)
    Handler.gone_on.set()
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def site(server: Site) -> Site:
    server.asked.clear()
    Handler.gone_on.clear()
    return server


def local(**options: Any) -> ImageAccess:
    """Access to the web in which this machine counts as well."""
    return ImageAccess(**{"web": True, "private_networks": True, "seconds": 10, **options})


class Names:
    """A look-up of names that a test decides, and a network on which they all are this machine."""

    def __init__(self, port: int, **hosts: list[list[str]]) -> None:
        self.port = port
        self.answers = {name.replace("_", "."): answers for name, answers in hosts.items()}
        self.looked_up: list[str] = []
        self.connected: list[str] = []

    def getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.looked_up.append(host)
        answers = self.answers.get(host, [[host]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    def create_connection(self, address: tuple[str, int], *options: Any, **named: Any) -> Any:
        self.connected.append(address[0])
        connection = socket.socket()
        connection.settimeout(5)
        connection.connect(("127.0.0.1", self.port))
        return connection


@pytest.fixture
def names(site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Names]:
    def use(**hosts: list[list[str]]) -> Names:
        made = Names(site.port, **hosts)
        monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
        monkeypatch.setattr(socket, "create_connection", made.create_connection)
        return made

    return use


def is_red(image: Image.Image) -> bool:
    return (image.mode, image.size, image.getpixel((2, 2))) == ("RGB", SIZE, RED)


def test_data_urls_are_always_opened() -> None:
    assert is_red(ImageAccess().open(DATA_URL))


@pytest.mark.parametrize(
    ("reference", "way_out"),
    [
        ("/etc/passwd", r"ImageAccess\(folders="),
        ("file:///etc/passwd", r"ImageAccess\(folders="),
        ("../../etc/passwd", r"ImageAccess\(folders="),
        ("", r"ImageAccess\(folders="),
        ("http://127.0.0.1/dress.png", r"ImageAccess\(web=True\)"),
        ("HTTPS://example.org/dress.png", r"ImageAccess\(web=True\)"),
        ("ftp://example.org/dress.png", "use one of them"),
        ("gs://bucket/dress.png", "use one of them"),
        ("file://server/share/dress.png", "use one of them"),
        ("data:text/html;base64,AAAA", "only data:image"),
    ],
)
def test_nothing_else_is_opened_by_default(
    reference: str, way_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, lambda *_: pytest.fail("it was looked for"))
    monkeypatch.setattr(Path, "resolve", lambda _: pytest.fail("it was looked for"))

    with pytest.raises(InvalidImageError, match=way_out) as error:
        ImageAccess().open(reference)
    assert repr(reference) in str(error.value)


def test_long_references_are_not_repeated() -> None:
    for start in ("", "/", "file:///", "http://", "gs://", "data:image/png;base64,"):
        for access in (ImageAccess(), ImageAccess(folders=("/nowhere",), web=True)):
            with pytest.raises(InvalidImageError) as error:
                access.open(start + "x" * 100_000)
            assert str(error.value).count("x") < 90


@pytest.mark.parametrize("reference", [None, 5, b"/etc/passwd", Path("/etc/passwd")])
def test_what_is_no_text_is_refused(reference: Any) -> None:
    with pytest.raises(InvalidImageError, match="pass a URL or a path"):
        ImageAccess(folders=("/",), web=True).open(reference)


@pytest.mark.parametrize(
    "options",
    [
        {"folders": "uploads"},
        {"folders": Path("uploads")},
        {"max_bytes": 0},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"redirects": -1},
    ],
)
def test_limits_without_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        ImageAccess(**options)


def test_an_access_cannot_be_widened_later() -> None:
    folders = ["a"]
    access = ImageAccess(folders=folders)
    folders.append("/")

    assert access.folders == ("a",)
    with pytest.raises(FrozenInstanceError):
        access.web = True


# Files.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one image, beside another that is nobody's business."""
    (tmp_path / "open" / "sub").mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    for place in ("open/dress.png", "open/sub/a b%41ü.png", "closed/secret.png"):
        (tmp_path / place).write_bytes(PNG)
    return tmp_path / "open"


def test_files_in_a_folder_are_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = ImageAccess(folders=(folder,))
    odd = folder / "sub" / "a b%41ü.png"

    for reference in (
        str(folder / "dress.png"),
        (folder / "dress.png").as_uri(),
        f"file://localhost{folder}/dress.png",
        f"FILE:{folder}/dress.png",
        f"{folder}/sub/../dress.png",
        str(odd),
        odd.as_uri(),
    ):
        assert is_red(access.open(reference))
    monkeypatch.chdir(folder)
    assert is_red(ImageAccess(folders=(".",)).open("sub/a b%41ü.png"))
    assert is_red(ImageAccess(folders=("/nowhere", str(folder))).open("dress.png"))


@pytest.mark.parametrize(
    "path",
    [
        "../closed/secret.png",
        "sub/../../closed/secret.png",
        "..",
        "../open-too/secret.png",
        "%2e%2e/closed/secret.png",
        "sub/%2e%2e/%2e%2e/closed/secret.png",
        "..%2fclosed%2fsecret.png",
        "link.png",
        "sub/linked/secret.png",
        "chain.png",
        "circle.png",
    ],
)
def test_no_way_leads_out_of_a_folder(folder: Path, path: str) -> None:
    closed = folder.parent / "closed"
    (folder.parent / "open-too").mkdir()
    (folder.parent / "open-too" / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(closed / "secret.png")
    (folder / "sub" / "linked").symlink_to(closed)
    (folder / "chain.png").symlink_to(folder / "link.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    access = ImageAccess(folders=(folder,))

    assert is_red(access.open(str(folder / "dress.png")))
    references = [f"file://{folder}/{path}"]
    references += [] if "%" in path else [f"{folder}/{path}"]
    for reference in references:
        with pytest.raises(InvalidImageError):
            access.open(reference)


def test_files_that_are_there_and_not_there_are_refused_alike(folder: Path) -> None:
    access = ImageAccess(folders=(folder,))
    reasons = []
    for name in ("secret", "absent"):
        with pytest.raises(InvalidImageError) as error:
            access.open(f"../closed/{name}.png")
        reasons.append(str(error.value).replace(name, ""))

    assert len(set(reasons)) == 1
    assert str(folder) not in reasons[0]


def test_a_folder_that_is_a_link_is_the_one_that_it_leads_to(folder: Path) -> None:
    (folder.parent / "door").symlink_to(folder)
    access = ImageAccess(folders=(folder.parent / "door",))

    assert is_red(access.open(str(folder / "dress.png")))
    assert is_red(access.open(str(folder.parent / "door" / "dress.png")))


def test_only_files_that_are_images_are_opened(folder: Path) -> None:
    access = ImageAccess(folders=(folder,))
    (folder / "page.png").write_text("secret")
    os.mkfifo(folder / "pipe.png")

    for name, reason in (("page.png", "cannot be read"), ("pipe.png", "pipe"), ("sub", "director")):
        with pytest.raises(InvalidImageError, match=reason) as error:
            access.open(str(folder / name))
        assert "secret" not in str(error.value)


def test_a_file_url_is_decoded_byte_by_byte() -> None:
    assert local_path("file:///a%20b/%C3%BC%2525.png") == "/a b/ü%25.png"
    assert os.fsencode(local_path("file:///caf%E9.png") or "") == b"/caf\xe9.png"
    assert local_path("file:///100% wool #1?.png") == "/100% wool #1?.png"
    assert local_path("C:\\pictures\\a.png") == "C:\\pictures\\a.png"
    assert local_path("a:b.png") == "a:b.png"
    assert local_path("photo:1.png") == "photo:1.png"
    for elsewhere in ("http://a/b", "https:a", "s3://a/b", "file://server/a", "data:,"):
        assert local_path(elsewhere) is None


_NOTED: list[list[str]] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    # Modules are imported late, by encodings among others.
    if _NOTED and event == "open" and not str(arguments[0]).endswith((".py", ".pyc")):
        _NOTED[-1].append(str(arguments[0]))


@contextmanager
def noted_files() -> Iterator[list[str]]:
    """The files that Python opens meanwhile, by whichever function, there or not."""
    # Such a hook stays for good.
    if not getattr(sys, "_dar_hooked", False):
        sys.addaudithook(_note)
        sys._dar_hooked = True
    _NOTED.append([])
    try:
        yield _NOTED[-1]
    finally:
        _NOTED.clear()


def test_the_noting_of_files_notes_them(folder: Path) -> None:
    with noted_files() as opened:
        ImageAccess(folders=(folder,)).open(str(folder / "dress.png"))
        # By the function that opens and by the one that it opens with.
        assert set(opened) == {str(folder / "dress.png")}


@given(
    st.one_of(
        st.text(),
        st.text().map(lambda text: f"file:///{text}"),
        st.text().map(lambda text: f"http://{text}"),
        st.text().map(lambda text: f"data:image/png;base64,{text}"),
        st.lists(
            st.sampled_from(
                ["..", ".", "", "sub", "linked", "etc", "passwd", "%2e%2e", "dress.png"]
            )
        ).map("/".join),
    ),
    st.booleans(),
)
@example("\0", True)
@example("file:///\0", True)
@example("file:///\ud800", True)
@example("\ud800", True)
@example("x" * 100_000, True)
@example("http://[", True)
@example("http://" + "a" * 300, True)
@example("http://xn--/", True)
@example("http://\udcff/", True)
def test_no_text_opens_a_file_outside(reference: str, within: bool) -> None:  # noqa: FBT001
    folder = Path.cwd() / "no-such-folder"

    def no_names(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror("a test has no names")

    with pytest.MonkeyPatch.context() as patch, noted_files() as opened:
        patch.setattr(socket, "getaddrinfo", no_names)
        access = ImageAccess(folders=(folder,), web=True, seconds=5)
        try:
            image = access.open(f"{folder}/{reference}" if within else reference)
        except InvalidImageError as error:
            message = str(error)
        else:
            assert image.mode == "RGB"
            message = ""
    assert len(message) < 600
    assert all(Path(path).is_relative_to(folder) for path in opened), opened


# The web.


def test_images_of_the_web_are_opened_where_that_is_allowed(site: Site) -> None:
    for path in ("dress.png", "dress.png?size=2#top", "bare", "again/3"):
        assert is_red(local().open(site.url(path)))
    assert is_red(local(redirects=0).open(site.url("dress.png")))
    assert is_red(local().open(site.url("dress.png", host="localhost")))


def test_a_request_tells_nothing_of_who_asks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    local().open(site.url("dress.png?a=b%20c", host="localhost"))

    ((path, headers),) = site.asked
    assert path == "/dress.png?a=b%20c"
    assert headers == {
        "Host": f"localhost:{site.port}",
        "User-Agent": "dar-retriever",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("circle", "redirected more than 3 times"),
        ("again/4", "redirected more than 3 times"),
        ("nowhere", "answers 302"),
        ("status/404", "answers 404"),
        ("status/500", "answers 500"),
        ("status/204", "answers 204"),
        ("page", "cannot be read as an image"),
        ("endless", "more than 100,000 bytes"),
        ("announced", "more than 100,000 bytes"),
        ("short", "cannot be downloaded"),
        ("packed", "compresses"),
        ("broken", "cannot be downloaded"),
        ("unknown", "cannot be downloaded"),
    ],
)
def test_answers_that_are_no_image_are_refused(site: Site, path: str, reason: str) -> None:
    with pytest.raises(InvalidImageError, match=reason) as error:
        local(max_bytes=100_000).open(site.url(path))
    assert path in str(error.value)
    assert "secret" not in str(error.value)
    assert len(site.asked) <= 4


def test_a_body_is_no_longer_read_than_it_may_be(site: Site) -> None:
    with pytest.raises(InvalidImageError, match="more than 1,000 bytes"):
        local(max_bytes=1000).open(site.url("endless"))
    # The server notices that nobody listens any more.
    assert Handler.gone_on.wait(10)


@pytest.mark.parametrize("path", ["slow", "slowhead", "interim", "silent"])
def test_an_answer_in_drips_ends_at_the_deadline(site: Site, path: str) -> None:
    """Each byte comes long before any single read would be given up."""
    before, began = set(threading.enumerate()), time.monotonic()

    with pytest.raises(InvalidImageError, match=r"no complete answer within 0\.3 s"):
        local(seconds=0.3).open(site.url(path))

    # The server would go on for half a minute.
    assert time.monotonic() - began < 15
    # Nothing is left behind that still reads.
    ours = [t for t in {*threading.enumerate()} - before if "process_request" not in t.name]
    for thread in ours:
        thread.join(20)
        assert not thread.is_alive()


def test_the_deadline_is_over_all_redirects(site: Site) -> None:
    with pytest.raises(InvalidImageError, match="no complete answer"):
        local(seconds=0.3, redirects=10_000).open(site.url("circle"))


def test_a_look_up_that_hangs_ends_at_the_deadline(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(20))

    with pytest.raises(InvalidImageError, match="no complete answer"):
        local(seconds=0.2).open("http://slow.test/dress.png")
    released.set()


def test_a_server_that_is_not_there_is_an_error_of_the_image() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with pytest.raises(InvalidImageError, match="cannot be downloaded"):
        local().open(f"http://127.0.0.1:{port}/dress.png")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",  # noqa: S104
        "[::]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_addresses_that_are_not_public_are_not_connected_to(
    host: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        socket, "create_connection", lambda *_, **__: pytest.fail("it was connected to")
    )

    with pytest.raises(InvalidImageError, match=r"not public|cannot be downloaded") as error:
        ImageAccess(web=True).open(site.url("dress.png", host))
    # Some writings of addresses are no host to some systems.
    if host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254"):
        assert "private_networks=True" in str(error.value)
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://user@example.org/a.png",
        "http://user:password@example.org/a.png",
        "http://:password@example.org/a.png",
        "http://example.org@127.0.0.1/a.png",
        "http:///a.png",
        "http:",
        "https://[fe80::1%25eth0]/a.png",
        "http://exa mple.org/",
        "http://example.org\r\nHost: evil/",
    ],
)
def test_addresses_of_another_form_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))

    with pytest.raises(InvalidImageError, match=r"https://host|cannot be downloaded"):
        ImageAccess(web=True).open(url)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        PRIVATE,
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001:db8::1",
        "2001::1",
        "2002:a00:1::",
        "2002:808:808::",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700:4700::1111%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_of_other_networks(address: str) -> None:
    assert not is_public(address)


def test_a_host_of_a_public_address_is_opened(names: Callable[..., Names]) -> None:
    network = names(shop_test=[[PUBLIC]])

    assert is_red(ImageAccess(web=True).open("http://shop.test/dress.png"))
    assert network.connected == [PUBLIC]


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    names: Callable[..., Names],
) -> None:
    network = names(shop_test=[[PUBLIC, PRIVATE]])

    with pytest.raises(InvalidImageError, match="not public") as error:
        ImageAccess(web=True).open("http://shop.test/dress.png")
    assert network.connected == []
    # The addresses of a network are its own.
    assert PRIVATE not in str(error.value)


def test_a_name_that_changes_its_address_is_looked_up_once(names: Callable[..., Names]) -> None:
    network = names(rebinding_test=[[PUBLIC], ["127.0.0.1"]])

    assert is_red(ImageAccess(web=True).open("http://rebinding.test/dress.png"))
    assert network.looked_up == ["rebinding.test"]
    assert network.connected == [PUBLIC]
    assert Handler.asked[0][1]["Host"] == "rebinding.test"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://inside.test/dress.png", "not public"),
        ("http://127.0.0.1/dress.png", "not public"),
        ("//inside.test/dress.png", "not public"),
        ("http://user:password@shop.test/dress.png", "without user"),
        ("file:///etc/passwd", "something else than http"),
        ("gopher://shop.test/1", "something else than http"),
        (DATA_URL, "something else than http"),
        ("http://[", "something else than http"),
        ("http://[fe80::1%25eth0]/a.png", "something else than http"),
    ],
)
def test_every_redirect_is_checked_like_the_first_address(
    names: Callable[..., Names], target: str, reason: str
) -> None:
    network = names(shop_test=[[PUBLIC]], inside_test=[[PRIVATE]])

    with pytest.raises(InvalidImageError, match=reason):
        ImageAccess(web=True).open(f"http://shop.test/to/{target.encode().hex()}")
    assert network.connected == [PUBLIC]
    assert len(Handler.asked) == 1


def test_a_redirect_to_another_public_host_is_followed(names: Callable[..., Names]) -> None:
    network = names(shop_test=[[PUBLIC]], images_test=[["8.8.8.8"]])
    target = b"http://images.test/dress.png".hex()

    assert is_red(ImageAccess(web=True).open(f"http://shop.test/to/{target}"))
    assert network.connected == [PUBLIC, "8.8.8.8"]
    assert [headers["Host"] for _, headers in Handler.asked] == ["shop.test", "images.test"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for shop.test and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=shop.test -addext"
    options = ["subjectAltName=DNS:shop.test", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run([*command.split(), *options], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("makes its certificate with openssl")
    return cert, key


@pytest.fixture
def secured(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The port of a server over TLS."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd.server_port
    httpd.shutdown()
    httpd.server_close()


def test_certificates_are_checked_against_the_name_and_not_the_address(
    secured: int,
    certificate: tuple[Path, Path],
    names: Callable[..., Names],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = names(shop_test=[[PUBLIC]], other_test=[[PUBLIC]])
    network.port = secured

    with pytest.raises(InvalidImageError, match=r"(?i)certificate"):
        ImageAccess(web=True).open("https://shop.test/dress.png")
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: trusted)
    assert is_red(ImageAccess(web=True).open("https://shop.test/dress.png"))
    with pytest.raises(InvalidImageError, match=r"(?i)hostname mismatch"):
        ImageAccess(web=True).open("https://other.test/dress.png")


# Hits.


def test_hits_are_opened_by_path_and_by_file_url(folder: Path) -> None:
    odd = folder / "sub" / "a b%41ü.png"
    bytes_ = folder / os.fsdecode(b"caf\xe9 1.png")
    bytes_.write_bytes(PNG)

    for path in (folder / "dress.png", odd, bytes_):
        for uri in (uri_of(path), path.as_uri()):
            hit = Hit("1a", 0.5, uri)
            assert is_red(hit.open())
            assert not hit.missing
            uri.encode()
    assert uri_of(odd) == str(odd)
    assert uri_of(bytes_) == bytes_.as_uri()
    assert uri_of(bytes_).startswith("file:///")
    assert Hit("1a", 0.5, odd.as_uri()).title == "a b%41ü"
    Hit("1a", 0.5, uri_of(bytes_)).title.encode()


def test_a_relative_path_is_named_in_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    assert uri_of(Path("dress.png")) == str(folder / "dress.png")


@given(st.binary(min_size=1, max_size=40))
def test_every_name_of_a_file_comes_back(name: bytes) -> None:
    path = Path("/pictures") / os.fsdecode(name.replace(b"\0", b"").replace(b"/", b""))

    uri = uri_of(path)

    uri.encode()
    assert local_path(uri) == str(path)


@pytest.mark.parametrize("uri", ["https://example.org/a.png", "http://a/b", "s3://a/b.png"])
def test_hits_elsewhere_are_not_fetched(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    hit = Hit("1a", 0.5, uri)

    with pytest.raises(InvalidImageError, match=r"ImageAccess\(web=True\)\.open"):
        hit.open()
    assert not hit.missing


def test_a_hit_whose_file_is_gone_says_so(folder: Path) -> None:
    hit = Hit("1a", 0.5, (folder / "dress.png").as_uri(), "", {"missing": "a button"})
    assert "missing" not in hit.as_metadata()
    assert hit.as_metadata()["stored_missing"] == "a button"

    (folder / "dress.png").unlink()

    assert hit.missing
    assert hit.as_metadata()["missing"] is True
    assert hit.as_metadata()["stored_missing"] == "a button"
    with pytest.raises(InvalidImageError, match=r"dress\.png.*check the path"):
        hit.open()


@pytest.mark.parametrize("uri", ["", DATA_URL, "https://example.org/gone.png", "file://host/a.png"])
def test_what_nobody_looks_for_is_not_missing(uri: str) -> None:
    assert not Hit("1a", 0.5, uri).missing
    assert "missing" not in Hit("1a", 0.5, uri).as_metadata()


def test_a_folder_in_place_of_the_file_is_no_file(folder: Path) -> None:
    assert Hit("1a", 0.5, str(folder)).missing
    assert Hit("1a", 0.5, "a\0b").missing


def test_what_was_opened_can_be_searched_with(folder: Path) -> None:
    image = ImageAccess(folders=(folder,)).open(str(folder / "dress.png"))

    assert Dialogue().say("like this", image).images[0].size == SIZE

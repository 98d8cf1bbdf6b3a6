"""The page of MCP Apps in a real browser, embedded as clients do, over the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from browsing import PATIENCE, chromium
from fakes import DrawingGenerator
from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp_dar import create_server
from playwright.sync_api import Browser, FrameLocator, Page, expect

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever, FacetQuestions
from dar_retriever.agents import listed_ids

REQUEST = {"request": "a handbag", "k": 4}
# What clients have to enforce where a page asks for nothing more.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; connect-src 'none'"
)
# A client in small: it embeds the page, hands tools and resources on, and notes what it was told.
HOST = """
<!doctype html><title>Host</title><iframe sandbox="allow-scripts" width="900" height="700"></iframe>
<script>
window.told = [];
const frame = document.querySelector("iframe");
const post = (message) => frame.contentWindow.postMessage({jsonrpc: "2.0", ...message}, "*");
const answers = {
  "ui/initialize": async () => ({
    protocolVersion: "2026-01-26",
    hostInfo: {name: "host of the tests", version: "1"},
    hostCapabilities: {serverTools: {}, serverResources: {}},
    hostContext: {theme: "dark", styles: {variables: {"--color-text-primary": "rgb(1, 2, 3)"}}},
  }),
  "tools/call": ({name, arguments: given}) => window.callTool(name, given),
  "resources/read": ({uri}) => window.readResource(uri),
  "ui/update-model-context": async () => ({}),
};
addEventListener("message", async ({source, data}) => {
  if (source !== frame.contentWindow) return;
  window.told.push(data);
  if (data.method === "ui/notifications/initialized") {
    post({method: "ui/notifications/tool-input", params: {arguments: window.given}});
    post({method: "ui/notifications/tool-result", params: window.result});
  }
  if (data.id === undefined || !data.method) return;
  try {
    post({id: data.id, result: await answers[data.method](data.params)});
  } catch (error) {
    post({id: data.id, error: {code: -32000, message: error.message}});
  }
});
</script>
"""


class Host:
    """A client that shows the page, with all that it was asked for."""

    def __init__(self, page: Page, portal: BlockingPortal, client: Client) -> None:
        self.page = page
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.elsewhere: list[str] = []
        self.troubles: list[str] = []
        self._portal, self._client = portal, client
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self._note(request.url))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.expose_function("callTool", self.call)
        page.expose_function("readResource", self.read)
        page.set_content(HOST)

    def shows(self, given: dict[str, Any], result: dict[str, Any]) -> FrameLocator:
        """Embed the page of the tool with a result of it."""
        (tool,) = (
            tool
            for tool in self._portal.call(self._client.list_tools).tools
            if tool.name == "search_images"
        )
        (content,) = self.read(tool.meta["ui"]["resourceUri"])["contents"]
        assert content["mimeType"] == APP_MIME_TYPE
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        html = content["text"].replace("<head>", f"<head>{policy}")
        self.page.evaluate(
            """([given, result, html]) => {
              Object.assign(window, {given, result});
              document.querySelector('iframe').srcdoc = html;
            }""",
            [given, result, html],
        )
        return self.page.frame_locator("iframe")

    def call(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((name, given))
        return plain(self._portal.call(self._client.call_tool, name, given))

    def read(self, uri: str) -> dict[str, Any]:
        return plain(self._portal.call(self._client.read_resource, uri))

    def told(self, method: str) -> list[dict[str, Any]]:
        """What the page has told the client under a method."""
        told: list[dict[str, Any]] = self.page.evaluate("window.told")
        return [message["params"] for message in told if message.get("method") == method]

    def _note(self, url: str) -> None:
        if not url.startswith(("data:", "about:")):
            self.elsewhere.append(url)


def plain(result: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(result.model_dump_json(by_alias=True, exclude_none=True))
    return data


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def portal(browser: Browser) -> Iterator[BlockingPortal]:
    # Asyncio in a thread of its own, as Playwright holds this one.
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def quick(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    query_encoder = DARQueryEncoder(demo.query_encoder.encoder, DrawingGenerator())
    return DiffusionAugmentedRetriever(query_encoder, demo.store)


@pytest.fixture(params=["thumbnail", "none"])
def host(
    request: pytest.FixtureRequest,
    browser: Browser,
    portal: BlockingPortal,
    quick: DiffusionAugmentedRetriever,
) -> Iterator[Host]:
    """A client that knows MCP Apps; the model of the second reads only text."""
    server = create_server(quick, images=request.param)
    apps = advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})
    page = browser.new_page()
    with portal.wrap_async_context_manager(Client(server, extensions=[apps])) as client:
        yield Host(page, portal, client)
    page.close()


def hits(app: FrameLocator) -> list[str]:
    found: list[str] = app.locator("#hits li").evaluate_all("all => all.map(e => e.dataset.hit)")
    return found


def test_what_is_clicked_is_searched_for(host: Host, quick: DiffusionAugmentedRetriever) -> None:
    first = host.call("search_images", REQUEST)
    app = host.shows(REQUEST, first)

    expect(app.locator("#hits img")).to_have_count(4)
    for place in range(4):
        picture = app.locator("#hits img").nth(place)
        expect(picture).to_have_js_property("complete", True)
        expect(picture).not_to_have_js_property("naturalWidth", 0)
    ids = hits(app)
    assert ids == list(listed_ids(first["content"][0]["text"]))
    expect(app.locator("#said")).to_contain_text("Searched for: a handbag")
    drawn = app.get_by_alt_text("Drawing: a handbag")
    expect(drawn).to_have_count(quick.query_encoder.images_per_turn)

    app.get_by_role("button", name="More like this").nth(2).click()
    expect(app.locator("#hits li").first).to_have_attribute("data-hit", ids[2])
    conversation = first["structuredContent"]["conversation"]
    known = {"k": 4, "conversation": conversation}
    assert host.calls[-1] == ("more_like_this", {"images": [ids[2]], **known})

    app.get_by_role("button", name="Not this").first.click()
    expect(app.locator(f"[data-hit='{ids[2]}']")).to_have_count(0)
    assert host.calls[-1] == ("more_like_this", {"less_like": [ids[2]], **known})

    question = FacetQuestions(quick).next_question(quick.search("a handbag"))
    assert question is not None
    choice = app.locator("#question button").first
    answer = choice.inner_text()
    choice.click()
    expect(app.locator("#said")).to_contain_text(answer)
    assert host.calls[-1] == ("search_images", {"request": answer, **known})

    # The model is told what the person sees, and nothing comes from elsewhere.
    seen = host.told("ui/update-model-context")[-1]["content"][0]["text"]
    assert list(listed_ids(seen)) == hits(app)
    assert host.told("ui/notifications/size-changed")
    assert (host.elsewhere, host.troubles) == ([], [])


@pytest.mark.parametrize("host", ["thumbnail"], indirect=True)
def test_a_picture_grows_and_errors_are_told(host: Host) -> None:
    app = host.shows(REQUEST, host.call("search_images", REQUEST))

    app.get_by_role("button", name="Enlarge").first.click()
    large = app.locator("dialog img")
    expect(large).to_be_visible()
    expect(large).not_to_have_js_property("naturalWidth", 0)
    app.get_by_role("button", name="Close").click()
    expect(large).to_be_hidden()
    expect(app.locator("body")).to_have_css("color", "rgb(1, 2, 3)")

    host.shows(REQUEST, host.call("search_images", {"request": "a mug", "conversation": "none"}))
    expect(app.locator("#said")).to_contain_text("not known, or forgotten")
    host.page.evaluate("delete window.callTool")
    app = host.shows(REQUEST, host.call("search_images", REQUEST))
    app.get_by_role("button", name="Not this").first.click()
    expect(app.locator("#said")).to_contain_text("The search failed: ")
    assert host.troubles == []

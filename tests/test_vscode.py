"""VS Code's own renderer of widgets, without VS Code: it shows the sliders without a network, and they move.

    pytest -m long --timeout=0 tests/test_vscode.py

fetches the bundle that VS Code's Jupyter extension draws widgets with, from npm. What this leaves out of VS Code: how the
extension passes messages between kernel and renderer, and how it finds a widget's code, which is done here as it does
it: by RequireJS, from nbextensions in the kernel's environment.
"""

import base64
import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import comm
import pytest
import test_browser
from playwright.sync_api import expect

from helpers import explorer

BUNDLE = "@vscode/jupyter-ipywidgets8"
# Stands in for the extension's kernel: replays the messages with which widgets open, and passes on those that follow.
PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"></head><body><div id="output"></div><script src="require.js"></script>
<script type="module">
import { activate } from "./ipywidgets.js";
activate();
window.vscIPyWidgets8.load();
const buffers = (texts) => texts.map((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
const received = ({ type, id, data, metadata, binary }) => ({
  header: { msg_type: type, msg_id: id }, parent_header: {}, metadata, buffers: buffers(binary),
  content: { comm_id: id, target_name: "jupyter.widget", data },
});
const nothing = { connect() {}, disconnect() {} };
const comms = {};
let opened;
const kernel = {
  status: "idle", statusChanged: nothing, connectionStatusChanged: nothing, iopubMessage: nothing, anyMessage: nothing,
  registerCommTarget(name, callback) { opened = callback; },
  requestCommInfo: async () => ({ content: { status: "ok", comms: {} } }),
  createComm: (targetName, commId) => comms[commId] = {
    targetName, commId, open() {}, close() {},
    send(data) {
      const future = { msg: { header: { msg_id: commId } } };
      window.toKernel(commId, data).then(async (answers) => {
        for (const answer of answers) await comms[answer.id].onMsg(received(answer));
        future.onIOPub({ header: { msg_type: "status" }, content: { execution_state: "idle" } });
      });
      return future;
    },
  },
};
const scripts = {
  widgetsRegisteredInRequireJs: new Set(),
  async loadWidgetScript(name) { requirejs.config({ paths: { [name]: `nbextensions/${name}/index` } }); },
};
const manager = new window.vscIPyWidgets.WidgetManager(kernel, document.getElementById("output"), scripts, () => {});
const { messages, root } = await (await fetch("messages.json")).json();
for (const message of messages) {
  const { type, id } = message;
  await (type === "comm_open" ? opened(kernel.createComm("jupyter.widget", id), received(message)) :
    comms[id].onMsg(received(message)));
}
await manager.display_view({}, await manager.create_view(await manager.get_model(root)), {});
</script></body></html>"""


@pytest.fixture
def kernel(monkeypatch):
    """In the place of a kernel: the messages that this process's widgets send, and their ends of the line by name."""
    messages, comms = [], {}

    class Comm(comm.base_comm.BaseComm):
        def publish_msg(self, kind, data=None, metadata=None, buffers=None, **more):
            comms[self.comm_id] = self
            binary = [base64.b64encode(one).decode() for one in buffers or ()]
            messages.append(
                {"type": kind, "id": self.comm_id, "data": data, "metadata": metadata or {}, "binary": binary}
            )

    monkeypatch.setattr(comm, "create_comm", Comm)
    return messages, comms


@pytest.fixture
def address(tmp_path):
    """What this folder's page is called on a server of its own, which holds the bundle and this environment's widgets."""
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", tmp_path, BUNDLE, "requirejs"], check=True)
    for archive in tmp_path.glob("*.tgz"):
        shutil.unpack_archive(archive, tmp_path / archive.stem, filter="data")
    for name in ("require.js", "dist/ipywidgets.js"):
        shutil.copy(next(tmp_path.glob(f"*/package/{name}")), tmp_path)
    shutil.copytree(Path(sys.prefix) / "share" / "jupyter" / "nbextensions", tmp_path / "nbextensions")
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


browser, page = test_browser.browser, test_browser.page
pytestmark = [pytest.mark.long, pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")]


@pytest.mark.skipif(not test_browser.CHROMIUM, reason="no chromium found")
def test_the_renderer_of_vs_code_shows_the_sliders_and_they_move(kernel, address, page, dataset, network, tmp_path):
    messages, comms = kernel
    shown = explorer.FgsmExplorer(network, dataset.x_test[:5], dataset.y_test[:5])
    (tmp_path / "messages.json").write_text(json.dumps({"messages": messages, "root": shown.widget.model_id}))

    def to_kernel(name, data):
        messages.clear()
        comms[name].handle_msg({"content": {"data": data}, "buffers": []})
        return messages[:]

    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.expose_function("toKernel", to_kernel)
    page.goto(address + "page.html")
    epsilon, image = test_browser.sliders_of(page)
    verdict, caption = page.locator(".fgsm .verdict"), page.locator(".fgsm figcaption").first
    clean = verdict.inner_text()
    for _ in range(16):
        epsilon.press("ArrowRight")
    expect(verdict).not_to_have_text(clean)
    image.press("ArrowRight")
    expect(caption).to_contain_text("image 1")
    assert (shown.image.value, round(255 * shown.epsilon.value)) == (1, 16)
    assert any("nbextensions/anywidget" in url for url in asked)
    assert all(url.startswith((address, "blob:", "data:")) for url in asked)

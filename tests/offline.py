"""Pages in a browser whose network is cut, which must ask for nothing but what they hold."""

from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe


@contextmanager
def watched(browser, allowed):
    """A way to open an address offline. In the end no page may have asked for what does not begin with one of `allowed`,
    or complained. `prepare` is a script that runs before the page's own; `options` are those of a browser context.
    """
    asked, complaints, contexts = set(), [], []

    def visit(address, prepare=None, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}} | options)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: asked.add(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if prepare:
            page.add_init_script(prepare)
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert {address for address in asked if not address.startswith(allowed)} == set()
    # How tests read a canvas is not the page's fault.
    assert [text for text in complaints if "willReadFrequently" not in text] == []


def barriers(page, dark=False):
    """What axe finds serious on a page: (rule, element, how to mend it). In the dark only contrasts differ."""
    page.emulate_media(color_scheme="dark" if dark else "light")
    options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if dark else {})
    found = Axe().run(page, options=options).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return [(v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"]) for v in serious]

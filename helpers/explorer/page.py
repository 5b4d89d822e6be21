"""Put the view, the networks and the images into HTML that computes by itself: no kernel, no network, no other file."""

import base64
import hashlib
import html
import json
from pathlib import Path

# In the kernel and in JavaScript: ε runs from 0 to LAST/255 in steps of 1/255; PGD takes steps of this fraction of ε.
LAST = 32
PGD_STEPS, PGD_STEP = 10, 1 / 4

HERE = Path(__file__).parent
# Without a policy of its own a page may do anything; with this one it runs what is in it, and loads nothing.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "worker-src blob:; script-src "
)


def source(*names):
    """The texts of files beside this one, as one."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


BODY = """body { max-width: 1720px; margin: 0 auto; padding: 8px 16px; --room: calc(100dvh - 340px); }
h1 { margin: 0 0 8px; font: 650 24px/1.25 system-ui, sans-serif; }"""
STYLE = source("view.css")
NUMBERS = f"const LAST = {LAST}, PGD_STEPS = {PGD_STEPS}, PGD_STEP = {PGD_STEP};\n"
VIEW = NUMBERS + source("parts.js", "view.js")
NOTEBOOK = VIEW + source("notebook.js")
WORKER = source("network.js", "worker.js")


def piece(data, more="", started="startPage(place, data);"):
    """A piece of a page: what page.js shows for `data`, a dictionary, and all that it needs.

    `more` is further JavaScript, and `started` what is done with the element `place` and the `data`. Nothing of it is
    global, so that a page may have several.
    """
    words = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )  # "<" could end a script
    name = "fgsm-" + hashlib.sha256(words.encode()).hexdigest()[:12]
    script = "\n".join((VIEW, WORKER, source("lanes.js", "page.js"), more, START.format(name=name, started=started)))
    return (
        f'<div class="{name}"><p>This page computes in your browser: it needs JavaScript, in a browser of 2022 or '
        f'newer.</p><script type="application/json">{words}</script></div>\n'
        f'<style>{STYLE}</style>\n<script class="fgsm-worker" type="text/plain">\n{WORKER}</script>\n'
        f'<script type="module">\n{script}</script>\n'
    )


# A piece may be on a page twice: each script takes the first place that is still empty.
START = """{{
  const place = document.querySelector(".{name}:not(.fgsm)");
  const data = JSON.parse(place.querySelector("script").textContent);
  place.replaceChildren();
  {started}
}}
"""


def whole(content, title):
    """A page of its own around `content`, which `piece` wrote: it runs its own scripts and loads nothing."""
    return document(content, title, BODY, f"<main>\n<h1>{html.escape(title)}</h1>\n{content}</main>")


def document(content, title, style, body, head=""):
    """A page whose `body` holds `content`, under a policy that lets the scripts of `content` run and nothing be loaded."""
    title = html.escape(title)
    return PAGE.format(policy=policy(content), head=head, title=title, style=style, body=body)


def policy(content):
    """A content security policy under which a page runs the scripts of `content`, which `piece` wrote, and no others."""
    scripts = (part.split(">", 1)[1].split("</script>", 1)[0] for part in content.split("<script")[1:])
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return POLICY + " ".join(f"'sha256-{digest}'" for digest in digests)


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{head}<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""

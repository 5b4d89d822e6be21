"""attack.html: attack a photograph on a phone. One file that computes by itself and sends nothing."""

import base64
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import segno

from .. import data, figures, runs
from ..explorer import ATTACKS, page, weights
from . import address, cells

TEMPLATES = Path(__file__).parent / "templates"
NETWORKS = {"vgg3": "standard network", "adversarial-fgsm": "adversarially trained network"}
EACH = 20  # images of each class
NAME = "attack.html"
ABOUT = '<meta name="description" content="Attack a neural network in your browser: nothing is sent anywhere.">\n'
NO_ADDRESS = (
    "No QR code: the page has no public address yet. Set Repository in pyproject.toml, under [project.urls], to an "
    "address on GitHub whose Pages serve the site."
)


def write(folder):
    """Write attack.html into `folder`: on CIFAR-10 where this machine has it, otherwise on the sketches."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_text(html(data.load(download=False)), encoding="utf-8", newline="\n")


def html(dataset):
    """The page for a Dataset, with the recorded networks of that data set, as a string."""
    chosen = images(dataset.y_test[: data.ORIGINAL_TEST_IMAGES])
    shown = [
        {
            "number": index,
            "name": f"image {index}",
            "label": int(dataset.y_test[index]),
            "pixels": base64.b64encode(dataset.x_test[index].tobytes()).decode(),
        }
        for index in chosen
    ]
    content = page.piece(
        {
            "names": list(data.CLASS_NAMES),
            "networks": list(NETWORKS),
            "titles": list(NETWORKS.values()),
            "attacks": ATTACKS,
            "packed": [weights.pack(runs.load(name, dataset.name).model) for name in NETWORKS],
            "images": shown,
            "strip": True,
            "first": chosen.index(figures.RUNNING_IMAGE),
        },
        more="\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("attack.js", "photograph.js")),
        started="startAttack(startPage(place, data), data);",
    )
    words = {
        "dataset": {"cifar10": "CIFAR-10", "sketches": "the sketches"}[dataset.name],
        "count": len(chosen),
        "each": EACH,
        "first": f"{data.ORIGINAL_TEST_IMAGES:,}",
        "opening": figures.RUNNING_IMAGE,
        "last": page.LAST,
    }
    style = (TEMPLATES / "attack.css").read_text(encoding="utf-8")
    body = (TEMPLATES / NAME).read_text(encoding="utf-8").format(content=content, **words).rstrip()
    return page.document(content, "Fool the network", style, body, head=ABOUT)


def images(labels):
    """The indices of the first images of each class, in order, the running image among them."""
    first = {
        index for label in range(len(data.CLASS_NAMES)) for index in np.flatnonzero(labels == label)[:EACH].tolist()
    }
    return sorted(first | {figures.RUNNING_IMAGE})


def public_address(root=cells.ROOT):
    """Where GitHub Pages serve attack.html, or None while pyproject.toml names no repository on GitHub."""
    where = address.repository(root)
    if not address.on_github(where):
        return None
    owner, name = urlsplit(where).path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/{NAME}"


def qr_code(root=cells.ROOT):
    """HTML: a QR code of the page's public address with the address below it, or a line that says how to set one."""
    where = public_address(root)
    if where is None:
        return f"<p>{NO_ADDRESS}</p>"
    code = segno.make(where, error="m", micro=False).svg_inline(
        scale=6, border=4, dark="#000", light="#fff", omitsize=True
    )
    return (
        f'<figure class="qr" role="img" aria-label="QR code of {where}">{code}'
        f'<figcaption><a href="{where}">{where}</a></figcaption></figure>'
    )

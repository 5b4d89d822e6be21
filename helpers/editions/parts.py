"""Generated parts of a text that people write, each between <!-- name --> and <!-- /name -->."""


def with_part(text, name, part):
    """A text with what stands between <!-- name --> and <!-- /name --> replaced by `part`."""
    before, rest = text.split(f"<!-- {name} -->\n", 1)
    _, after = rest.split(f"<!-- /{name} -->", 1)
    return f"{before}<!-- {name} -->\n{part}<!-- /{name} -->{after}"

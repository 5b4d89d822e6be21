"""One source, several editions: each is a pure function on notebooks, and writes a folder that git ignores.

`cells` reads notebooks and what their cells are for; `schedule` holds the minutes; one module an edition: `notebooks`
(the stored .ipynb), `lecture`, `student`, `site`, `slides`; `pages` turns notebooks into HTML for the last two,
`readme` writes the README's generated parts, `address` the public address. See `python -m helpers.editions --help`.
"""

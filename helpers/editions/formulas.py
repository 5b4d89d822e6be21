"""Formulas as pictures: paths that need neither JavaScript nor a font with mathematics, which a plain Debian lacks.

What is a formula follows Pandoc's rule, so that dollars in prose stay dollars: the opening $ stands before a character
that is not a space, the closing one after such a character and not before a digit.
"""

import functools
import html
import re
from xml.etree import ElementTree

import ziafont
import ziamath
from latex2mathml.converter import convert
from ziamath.zmath import tex2mml

SIZE = 20  # pixels that an em has while a formula is drawn; pages scale it
CODE = re.compile(
    r"^ {0,3}(```+|~~~+)[^\n]*\n.*?^ {0,3}\1[^\n]*$|(?<!`)(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE
)
MATH = re.compile(
    r"(?<!\\)\$\$(?P<display>.+?)(?<!\\)\$\$|\\\\\[(?P<bracketed>.+?)\\\\\]"
    r"|\\begin\{(?P<name>[A-Za-z]+)(?P<star>\*?)\}(?P<body>.+?)\\end\{(?P=name)(?P=star)\}"
    r"|(?<![\\$])\$(?=[^\s$])(?P<inline>(?:[^$\n]|\n(?!\s*\n))+?)(?<=[^\s\\])\$(?![\d$])"
    r"|\\\\\((?P<in_text>.+?)\\\\\)",
    re.DOTALL,
)
BODY_ALONE = ("equation", "gather", "multline")
ALIGNED = re.compile(r"(\\(?:begin|end))\{(?:align|aligned|alignat|eqnarray)\*?\}(?:\{\d\})?")
LIST_ITEM = re.compile(r"\s*(?:(?:[-*+]|\d+[.)])\s+)?")
HOLDER = "formula{}holder"

ziafont.config.svg2 = False  # no shared symbols, whose names would clash on a page


def taken_out(markdown):
    """Markdown with a plain word in the place of each formula, and the formulas as HTML: word → HTML."""
    found, parts, place = {}, [], 0
    for code in [*CODE.finditer(markdown), None]:
        parts.append(MATH.sub(functools.partial(_hold, found), markdown[place : code.start() if code else None]))
        if code:
            parts.append(code[0])
            place = code.end()
    return "".join(parts), found


def _hold(found, match):
    word = HOLDER.format(len(found))
    if inline := match["inline"] or match["in_text"]:
        found[word] = picture(inline, False)
        return word
    body = match["display"] or match["bracketed"] or (match["body"] if match["name"] in BODY_ALONE else match[0])
    found[word] = picture(body, True)
    line = match.string[: match.start()].rpartition("\n")[2]
    indent = " " * LIST_ITEM.match(line).end()  # otherwise the formula would end the list that it is in
    return f"\n\n{indent}{word}\n\n{indent}"


def put_back(text, found):
    """HTML with the formulas in the places of their words; a displayed one is a block and no part of a paragraph."""
    for word, formula in found.items():
        text = text.replace(f"<p>{word}</p>", formula).replace(word, formula)
    return text


def _spaced(mathml):
    """MathML with the spaces that TeX gives and ziamath does not: none around a sign, a thin one before a sum."""
    mathml = re.sub(r"(<mo>&#x0003D;</mo>)<mo>(&#x02212;</mo>)", r'\1<mo lspace="0em" rspace="0em">\2', mathml)
    return re.sub(r"(</m[io]>)(<munder><mo>&#x02211;)", r'\1<mspace width="0.167em" />\2', mathml)


@functools.cache
def picture(latex, display):
    """A formula as HTML: drawn for the eye, MathML for a screen reader. Raises ValueError for what cannot be drawn."""
    latex = ALIGNED.sub(r"\1{align*}", " ".join(latex.split()))  # the others are numbered, or not drawn
    try:
        heard = convert(latex, display="block" if display else "inline")
        drawn = ziamath.Math(_spaced(tex2mml(latex, inline=not display)), size=SIZE).svgxml()
        unknown = re.search(r"\\[A-Za-z]+", "".join(ElementTree.fromstring(heard).itertext()))
    except Exception as error:  # two parsers, each with its own ways to fail
        raise ValueError(f"the formula {latex!r} cannot be drawn: {error}") from None
    if unknown:
        raise ValueError(f"the formula {latex!r} cannot be drawn: {unknown[0]} is not known")
    left, top, width, height = map(float, drawn.attrib["viewBox"].split())
    attributes = {
        "viewBox": f"{left:g} {top:g} {width:g} {height:g}",
        "aria-hidden": "true",
        "fill": "currentColor",
        "style": f"width: {width / SIZE:.3f}em; height: {height / SIZE:.3f}em; vertical-align: {-(top + height) / SIZE:.3f}em",
    }
    drawn.attrib.clear()
    drawn.attrib.update(attributes)
    svg = ElementTree.tostring(drawn, encoding="unicode").replace(' fill="black"', "")
    kind = ("div", "formula display wide") if display else ("span", "formula")
    return f'<{kind[0]} class="{kind[1]}"><span class="heard">{html.unescape(heard)}</span>{svg}</{kind[0]}>'

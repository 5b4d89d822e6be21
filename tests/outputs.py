"""What a stored cell says in words, and whether another run says the same."""

import re

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def lines(text):
    return [line for line in text.split("\n") if line]


def said(outputs):
    """Printed lines and Markdown, in order."""
    words = (output.get("text", "") or output.get("data", {}).get("text/markdown", "") for output in outputs)
    return lines("\n".join(words))


def differences(then, now):
    """Pairs of lines that differ: in a word, or in a number by more than 0.5% and more than one unit of its last digit."""
    if len(then) != len(now):
        return [(then, now)]
    return [(one, other) for one, other in zip(then, now, strict=True) if not _agree(one, other)]


def _agree(one, other):
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(abs(_value(a) - _value(b)) <= 1.01 * max(_last_digit(a), 0.005 * _value(a)) for a, b in pairs)


def _value(number):
    return float(number.replace(",", ""))


def _last_digit(number):
    digits, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))

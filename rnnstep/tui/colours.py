"""Arithmetic of colours: how well one reads on another, and what lies between two."""

from __future__ import annotations

Rgb = tuple[float, float, float]


def contrast(one: Rgb, other: Rgb) -> float:
    """Give the contrast ratio of two colours (0–255), 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def mixed(start: Rgb, end: Rgb, share: float) -> Rgb:
    """Mix two colours, `share` of the way, in OKLab, where equal steps look equal (B. Ottosson, 2020)."""
    one, other = _to_oklab(start), _to_oklab(end)
    light, a, b = (first + (second - first) * share for first, second in zip(one, other, strict=True))
    l_, m_, s_ = (
        (light + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (light - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (light - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    return (
        _encoded(4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_),
        _encoded(-1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_),
        _encoded(-0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_),
    )


def _to_oklab(colour: Rgb) -> Rgb:
    red, green, blue = (_linear(part / 255) for part in colour)
    l_, m_, s_ = (
        (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3),
        (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3),
        (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3),
    )
    return (
        0.2104542553 * l_ + 0.7936177850 * m_ - 0.0040720468 * s_,
        1.9779984951 * l_ - 2.4285922050 * m_ + 0.4505937099 * s_,
        0.0259040371 * l_ + 0.7827717662 * m_ - 0.8086757660 * s_,
    )


def _encoded(linear: float) -> float:
    linear = min(1.0, max(0.0, linear))
    part = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return float(round(255 * part))

"""What the browser tests share: how they look at a page, and what they do to it."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = re.findall(r"(?:root|file): *(\S+)", (ROOT / "_toc.yml").read_text("utf-8"))

PHONE = {"width": 375, "height": 800}
LAPTOP = {"width": 1280, "height": 800}


def widgets_of(page):
    return page.locator(".feedback-widget")


def scrolls_sideways(page) -> bool:
    return page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )


def state_of(widget) -> dict:
    return json.loads(widget.locator("script[type='application/json']").text_content())


def drag(widget, index: int, to: float):
    """Drag a slider's thumb to a part of its track, as a hand would."""
    slider = widget.locator("input[type=range]").nth(index)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
    part = (float(slider.input_value()) - low) / (high - low)
    mouse, middle = widget.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * part, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * to, middle, steps=5)
    mouse.up()


def color_of(element, css_property: str) -> list[int]:
    style = f"(element) => getComputedStyle(element).getPropertyValue('{css_property}')"
    return [int(number) for number in re.findall(r"\d+", element.evaluate(style))[:3]]


def contrast(color: list[int], other: list[int]) -> float:
    """Contrast ratio as WCAG 2 defines it: from 1 to 21, and 4.5 for text."""

    def luminance(color):
        parts = [part / 255 for part in color]
        red, green, blue = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(color), luminance(other)])
    return (light + 0.05) / (dark + 0.05)

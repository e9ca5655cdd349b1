"""What the markup of a mail must not hold. Asked of the parsed document, as it is sent, not of its spelling."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree
from lxml import html as lxml_html

from content import tags
from content.html import TAG, Mask

ELEMENTS = {
    "script": "Scripts never run in mail and are not sent.",
    "iframe": "Frames do not work in mail; link to the page instead.",
    "frame": "Frames do not work in mail; link to the page instead.",
    "frameset": "Frames do not work in mail; link to the page instead.",
    "form": "Forms do not work in mail; link to a page instead.",
    "input": "Forms do not work in mail; link to a page instead.",
    "object": "Embedded objects do not work in mail.",
    "embed": "Embedded objects do not work in mail.",
    "applet": "Embedded objects do not work in mail.",
    "svg": "Drawings inside the mail are shown by few mail programs; use an image.",
    "math": "Formulas are shown by few mail programs; use an image.",
    "video": "Videos do not play in mail; link to the page instead.",
    "audio": "Audio does not play in mail; link to the page instead.",
    "link": "Style sheets and fonts of other hosts are not loaded; put the styles into a <style> element.",
    "base": "A <base> element changes where links lead and is not sent.",
}
#: Attributes that hold addresses (HTML Living Standard, and what older mail programs still follow).
ADDRESSES = frozenset(
    "href src srcset action formaction background poster data cite ping longdesc lowsrc dynsrc xlink:href".split()  # noqa: SIM905
)
SCHEMES = ("https://", "http://", "mailto:", "tel:", "#")
FOREIGN = "Images come from your own host only: another host would learn who reads this mail."
IN_ADDRESS = "A web address may not hold a merge tag: addresses end up in logs."
MASK = re.compile(r"zqmask(\d+)zq")
CSS_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^\s\"')]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    level: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A text that programs read aloud or show instead of an image, with the tags it prints."""

    names: frozenset[str]
    attribute: str
    line: int | None


class Markup:
    """A parsed mail with its merge tags put aside."""

    def __init__(self, source: str, own_host: str) -> None:
        self._mask = Mask()
        self._own = own_host
        masked = self._mask.hide(source)
        try:
            self._root = lxml_html.document_fromstring(masked) if masked.strip() else None
        except (etree.ParserError, ValueError):
            self._root = None

    def faults(self) -> Iterator[Fault]:
        """Everything that keeps the mail from being sent, or should make its author think."""
        for element in self._root.iter() if self._root is not None else ():
            if not isinstance(element.tag, str):
                yield from self._comment(element)
                continue
            yield from self._element(element)
            for name, value in element.attrib.items():
                yield from self._attribute(element, str(name).lower(), str(value))

    def shown(self) -> Iterator[Shown]:
        """Texts in place of images and pop-up titles that print merge tags."""
        for element in self._root.iter() if self._root is not None else ():
            if not isinstance(element.tag, str):
                continue
            for name in ("alt", "title", "aria-label"):
                printed = [self._mask.tags[int(n)] for n in MASK.findall(element.get(name, ""))]
                if printed:
                    used = frozenset[str]().union(*(tags.tag_names(tag) for tag in printed))
                    yield Shown(used, name, element.sourceline)

    def _comment(self, node: etree._Element) -> Iterable[Fault]:
        text = node.text or ""
        if re.fullmatch(r"zqtag\d+zq", text):  # a merge tag between elements
            return
        if MASK.search(text) or re.search(r"src\s*=|background|url\(|href\s*=|@import", text, re.IGNORECASE):
            yield Fault("error", "A comment may hold neither merge tags nor addresses.", node.sourceline)

    def _element(self, element: lxml_html.HtmlElement) -> Iterable[Fault]:
        name, line = str(element.tag).lower(), element.sourceline
        if MASK.search(name):
            yield Fault("error", "A merge tag may not stand for an element.", line)
        if name in ELEMENTS:
            yield Fault("error", ELEMENTS[name], line)
        if name == "style":
            yield from self._css(element.text or "", line)
        if name == "meta" and (element.get("http-equiv") or "").lower() == "refresh":
            yield Fault("error", "A mail may not lead its reader elsewhere by itself.", line)
        if name == "img" and element.get("alt") is None:
            yield Fault("warning", "An image has no alt text; people who cannot see it get nothing.", line)

    def _attribute(self, element: lxml_html.HtmlElement, name: str, value: str) -> Iterable[Fault]:
        line = element.sourceline
        if masked := MASK.search(name):
            whole = masked.group() == name and not self._mask.tags[int(masked[1])].startswith("{{")
            if not whole:
                yield Fault("error", "A merge tag may not stand for an attribute or a part of its name.", line)
        if name.startswith("on"):
            yield Fault("error", "Event handlers are scripts and are not sent.", line)
        elif name == "style":
            yield from self._css(value, line)
        elif name in ADDRESSES:
            link = name == "href" and element.tag in ("a", "area")
            yield from self._link(value.strip(), line) if link else self._resource(name, value.strip(), line)

    def _link(self, target: str, line: int | None) -> Iterable[Fault]:
        if MASK.search(target):
            given = MASK.fullmatch(target)
            if not given or not tags.tag_names(self._mask.tags[int(given[1])]) <= set(tags.PROVIDED):
                yield Fault("error", IN_ADDRESS, line)
        elif re.match(r"[\s\x00-\x1f]*(javascript|vbscript|data)\s*:", target, re.IGNORECASE):
            yield Fault("error", "A script address is not sent.", line)
        elif not target.lower().startswith(SCHEMES):
            yield Fault("error", "A link needs a whole address, starting with https://.", line)
        elif target.lower().startswith("http://") and not target.startswith(self._own):
            yield Fault("warning", "A link is not encrypted; use https://.", line)

    def _resource(self, name: str, value: str, line: int | None) -> Iterable[Fault]:
        if MASK.search(value):
            yield Fault("error", IN_ADDRESS, line)
            return
        sources = [part.split()[0] for part in value.split(",") if part.split()] if name == "srcset" else [value]
        if any(source and not source.startswith((self._own + "/", "data:image/")) for source in sources):
            yield Fault("error", FOREIGN, line)

    def _css(self, text: str, line: int | None) -> Iterable[Fault]:
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        if MASK.search(text) or TAG.search(text):
            yield Fault("error", "A style may not hold a merge tag; choose between elements instead.", line)
        if re.search(r"@import|@font-face", text, re.IGNORECASE):
            yield Fault("error", "Fonts and styles of other hosts are not loaded.", line)
        if "\\" in text or re.search(r"expression\s*\(|behavior\s*:|-moz-binding", text, re.IGNORECASE):
            yield Fault("error", "A style may hold neither backslashes nor scripts.", line)
        if any(not found.group().startswith(self._own + "/") for found in CSS_ADDRESS.finditer(text)):
            yield Fault("error", FOREIGN, line)

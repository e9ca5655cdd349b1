"""HTML of a template, once per version: CSS inlined, links replaced by slots, a text part drawn from it."""

import re
from dataclasses import dataclass, field

from lxml import html as lxml_html
from premailer import Premailer

from content.errors import TemplateBroken

TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
ANCHOR = re.compile(r"""(<a\b[^>]*?\shref=)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
BLOCKS = frozenset(
    [
        "p",
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "tr",
        "table",
        "ul",
        "ol",
        "li",
        "section",
        "header",
        "footer",
        "blockquote",
        "hr",
        "center",
    ]
)
HIDDEN = frozenset(("style", "script", "head", "title"))


@dataclass
class Mask:
    """Merge tags put aside while a tool that knows only HTML works on the text around them."""

    tags: list[str] = field(default_factory=list)

    def hide(self, source: str) -> str:
        """Tags inside a `<…>` or a style become a word, tags between elements a comment, which may stand anywhere."""
        source = source.replace("zqmask", "zq mask").replace("zqtag", "zq tag")  # ours alone
        out: list[str] = []
        at = 0
        for match in TAG.finditer(source):
            before = source[: match.start()]
            out.append(source[at : match.start()])
            inside = before.rfind("<") > before.rfind(">") or before.lower().rfind("<style") > before.lower().rfind(
                "</style"
            )
            number = len(self.tags)
            self.tags.append(match.group())
            out.append(f"zqmask{number}zq" if inside else f"<!--zqtag{number}zq-->")
            at = match.end()
        return "".join(out) + source[at:]

    def show(self, source: str) -> str:
        return re.sub(r"<!--zqtag(\d+)zq-->|zqmask(\d+)zq", lambda m: self.tags[int(m[1] or m[2])], source)


def inline_css(source: str) -> str:
    """premailer over masked HTML: style rules become attributes; `!important` and media queries are kept."""
    mask = Mask()
    inlined = Premailer(
        mask.hide(source),
        keep_style_tags=True,
        strip_important=False,
        remove_classes=False,
        disable_validation=True,
        allow_network=False,
        allow_loading_external_files=False,
        disable_leftover_css=False,
        cssutils_logging_level=50,
    ).transform()
    for number, tag in enumerate(mask.tags):
        if f"zqmask{number}zq" not in inlined and f"<!--zqtag{number}zq-->" not in inlined:
            raise TemplateBroken(f"{tag} stands where no mail program shows anything; move it into the body.")
    return mask.show(inlined)


def slot_links(source: str) -> tuple[str, list[str]]:
    """Replace each absolute destination by `{{ _links[n] }}`; the destinations in order (TRK-07)."""
    links: list[str] = []

    def slot(match: re.Match[str]) -> str:
        destination = match[3].strip().replace("&amp;", "&")
        if not destination.lower().startswith(("http://", "https://")) or TAG.search(destination):
            return match[0]
        if destination not in links:
            links.append(destination)
        return f'{match[1]}"{{{{ _links[{links.index(destination)}] }}}}"'

    return ANCHOR.sub(slot, source), links


def text_from(source: str) -> str:
    """The text part: one line a block, links behind their words, merge tags kept."""
    mask = Mask()
    root = lxml_html.document_fromstring(mask.hide(source) or "<p></p>")
    parts: list[str] = []
    _walk(root, parts)
    text = mask.show("".join(parts))
    text = re.sub(r"[ \t\xa0]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _walk(element: lxml_html.HtmlElement, parts: list[str]) -> None:
    if element.tag in HIDDEN:
        return
    if not isinstance(element.tag, str):  # a comment: a merge tag, or nothing
        parts.append(f"<!--{element.text}-->" if (element.text or "").startswith("zqtag") else "")
        return
    block = element.tag in BLOCKS
    if block:
        parts.append("\n\n" if element.tag not in ("li", "tr") else "\n")
    if element.tag == "li":
        parts.append("- ")
    if element.tag == "br":
        parts.append("\n")
    if element.tag == "img" and element.get("alt"):
        parts.append(element.get("alt", ""))
    parts.append(re.sub(r"\s+", " ", element.text or ""))
    for child in element:
        _walk(child, parts)
        parts.append(re.sub(r"\s+", " ", child.tail or ""))
    if element.tag == "a" and element.get("href", "") not in ("", (element.text or "").strip()):
        parts.append(f": {element.get('href')}")
    if block:
        parts.append("\n\n" if element.tag not in ("li", "tr") else "\n")


def hidden_preheader(preheader: str) -> str:
    return (
        '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">'
        + preheader
        + "&#8199;&#65279;" * 20
        + "</div>"
    )


def compile_html(source: str, preheader: str) -> tuple[str, list[str]]:
    """What is stored on a version: CSS inlined, preheader and pixel slots in place, links as slots."""
    compiled, links = slot_links(inline_css(source))
    opening = re.search(r"<body\b[^>]*>", compiled, re.IGNORECASE)
    if preheader and opening:
        compiled = compiled[: opening.end()] + hidden_preheader(preheader) + compiled[opening.end() :]
    closing = compiled.lower().rfind("</body>")
    closing = len(compiled) if closing < 0 else closing
    return compiled[:closing] + "{{ _pixel }}" + compiled[closing:], links

import pytest

from content import html
from content.errors import TemplateBroken

MAIL = """<html><head><style>p{color:red} .b{padding:4px !important} @media(max-width:600px){p{color:blue}}</style>
</head>
<body><p>Hi {{ first_name|default("there") }}, <a class="b" href="https://example.com/a?x=1&amp;y=2">go</a></p>
<table>{% for m in medications %}<tr><td>{{ m.name }}</td></tr>{% endfor %}</table>
<a href="{{ unsubscribe_url }}">Stop</a> <a href="https://example.com/b">b</a> <a href="mailto:a@example.com">write</a>
</body></html>"""


def test_css_is_inlined_and_merge_tags_survive_it() -> None:
    compiled, _ = html.compile_html(MAIL, "")
    assert '<p style="color:red">Hi {{ first_name|default("there") }}' in compiled
    assert "!important" in compiled
    assert "@media" in compiled
    assert "{% for m in medications %}" in compiled
    assert 'href="{{ unsubscribe_url }}"' in compiled


def test_loops_stay_inside_their_table() -> None:
    compiled, _ = html.compile_html(MAIL, "")
    assert compiled.index("<table>") < compiled.index("{% for") < compiled.index("<tr>") < compiled.index("{% endfor")


def test_links_become_slots_in_order_and_only_whole_addresses() -> None:
    compiled, links = html.compile_html(MAIL, "")
    assert links == ["https://example.com/a?x=1&y=2", "https://example.com/b"]
    assert 'href="{{ _links[0] }}"' in compiled
    assert 'href="{{ _links[1] }}"' in compiled
    assert "mailto:a@example.com" in compiled


def test_the_preheader_is_hidden_at_the_top_and_the_pixel_slot_at_the_end() -> None:
    compiled, _ = html.compile_html(MAIL, "Hello {{ first_name }}")
    assert compiled.index("<body") < compiled.index("Hello {{ first_name }}") < compiled.index("<p ")
    assert compiled.index("{{ _pixel }}") < compiled.index("</body>")


def test_the_text_part_reads_like_the_mail() -> None:
    text = html.text_from(MAIL)
    assert 'Hi {{ first_name|default("there") }}, go: https://example.com/a?x=1&y=2' in text
    assert "color:red" not in text
    assert "Stop: {{ unsubscribe_url }}" in text


def test_a_tag_outside_the_body_is_said_and_not_lost() -> None:
    with pytest.raises(TemplateBroken, match="last_name"):
        html.compile_html(MAIL + "{{ last_name }}", "")


def test_a_comment_around_a_tag_stays_a_comment() -> None:
    assert "<!--{{ note }}-->" in html.inline_css("<p>a</p><!--{{ note }}--><p>b</p>")


def test_an_author_cannot_forge_our_place_holders() -> None:
    compiled, _ = html.compile_html("<p>zqmask7zq <!--zqtag7zq--> {{ first_name|default(1) }}</p>", "")
    assert "{{ first_name|default(1) }}" in compiled

"""Every component once, as docs/pages.md tells builders to write it."""

STYLE = """{% extends "base.html" %}
{% block title %}Components{% endblock %}
{% block content %}
{% ui "header" title="October check-up reminder" back="/campaigns/" back_label="Campaigns" %}
  {% slot "state" %}{% badge "SENDING" %}{% endslot %}
  {% slot "actions" %}<button class="button primary" data-dialog="pause">{% icon "pause" %}Pause sending</button>{% endslot %}
  {% slot "menu" %}<a href="#">{% icon "copy" %}Duplicate</a><hr><button class="danger">{% icon "stop" %}Cancel the rest</button>{% endslot %}
  Goes to everybody with an appointment due in the next 30 days.
{% endui %}
{% ui "tabs" label="Campaign" %}{% tab "Overview" "/style/" %}{% tab "Audience" "/x/" count=12408 %}{% tab "Content" "/y/" %}{% tab "History" "/z/" %}{% endui %}
<p class="sentence"><strong>12,408 people</strong> match. <strong>11,950</strong> may be mailed: <a href="#">301 have not opted in</a>, <a href="#">157 are suppressed</a>.</p>
{% ui "progress" label="8,112 of 11,950 sent" done=8112 total=11950 %}1,030 a second · 4 seconds left{% endui %}
<dl class="stats">
{% include "ui/stat.html" with label="Sent" value="8,112" note="67.9 % of the audience" only %}
{% include "ui/stat.html" with label="Opened by people" value="2,410" note="29.7 %" only %}
{% include "ui/stat.html" with label="Clicked by people" value="611" note="7.5 %" only %}
{% include "ui/stat.html" with label="Unsubscribed" value="14" note="0.2 %" only %}
</dl>
<div class="columns">
{% ui "card" title="Opens" %}{% chart data "Opens by the hour" %}{% endui %}
{% ui "card" title="Domains" %}{% chart bars "Sent by domain" kind="bar" unit="Domain" %}{% endui %}
</div>
<div class="row">{% for state in states %}{% badge state %}{% endfor %}{% badge "phi" %}{% badge "x" label="Own word" tone="ok" icon="key" %}</div>
{% ui "notice" title="Four people have no date of birth" tone="warn" %}They are left out until it is known. <a href="#">See who</a>{% endui %}
{% ui "notice" title="This cannot be sent" tone="danger" %}The relay has no agreement in force. Ask an administrator: Delivery → Relays.{% endui %}
{% ui "notice" title="Approved" tone="ok" %}Ready to be scheduled.{% endui %}
{% ui "notice" %}Nothing leaves before a second person approved it.{% endui %}
<form class="filters" method="get" role="search">
<div class="field grow"><label for="q">Search</label><input id="q" name="q" placeholder="Exact address or external id"></div>
<div class="field"><label for="st">State</label><select id="st" name="state"><option>Any</option></select></div>
<button class="button">{% icon "search" %}Search</button></form>
{% ui "table" caption="Campaigns" cards=True %}
<thead><tr><th scope="col">Name</th><th scope="col">State</th><th scope="col">Changed</th><th scope="col" class="number">Sent</th></tr></thead>
<tbody>{% for state in states %}<tr><th scope="row"><a href="#">Reminder for {{ state }}</a></th><td data-label="State">{% badge state %}</td><td data-label="Changed">{% moment now "short" %}</td><td class="number" data-label="Sent">{{ 1200|intcomma }}</td></tr>{% endfor %}</tbody>
{% endui %}
{% pager page "contact" %}
{% ui "empty" title="No campaigns yet" icon="campaign" %}A campaign sends one mail to one segment, after a second person approved it.{% slot "actions" %}<a class="button primary" href="#">{% icon "plus" %}New campaign</a>{% endslot %}{% endui %}
{% steps "Upload" "Map columns" "Check" "Import" current=2 %}
<div class="aside">
{% ui "card" title="Form" %}<form class="form" method="get"><input type="hidden" name="sent" value="1">{% fields form %}<div class="form-actions"><button class="button primary">Save</button><a class="button" href="#">Cancel</a><button class="button danger">Delete</button><button class="button" disabled>Not now</button><button class="button danger primary">Cancel 8,112 unsent mails</button></div></form>{% endui %}
<div class="stack">
{% ui "card" title="Facts" %}<dl class="facts"><dt>Segment</dt><dd>Adults with an open care gap</dd><dt>Email</dt><dd>{% masked %}</dd><dt>Phone</dt><dd data-phi>555 0134</dd><dt>Born</dt><dd>{% moment now "date" %}</dd></dl>{% endui %}
{% ui "card" title="Just finished" %}<div class="row"><span>29.7 % opened</span>{% spark values "Opens over the first day" %}</div>{% endui %}
{% ui "card" title="History" %}<ol class="timeline">
{% ui "event" icon="check" at=now by="Nadia Approver" %}Approved{% endui %}
{% ui "event" icon="draft" at=now by="Max Marketer" %}Submitted for review{% endui %}
</ol>{% endui %}
</div></div>
{% ui "dialog" id="pause" title="Pause sending?" %}<p>3,838 mails wait. Whoever was not written to yet keeps their place; resume goes on with them.</p><form method="post">{% csrf_token %}<div class="form-actions"><button class="button primary">Pause</button><button type="button" class="button" data-close>Keep sending</button></div></form>{% endui %}
{% endblock %}
"""

"""Six mails to start from. Plain, one column, readable on a phone and with images off."""

from core.purposes import MessageClass, Purpose

STYLE = """<style>
body{margin:0;background:#f4f6f8;color:#1c2733;
font:16px/1.55 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}
.page{max-width:600px;margin:0 auto;background:#ffffff}
.head{padding:24px 32px;border-bottom:3px solid #0b6b5d;font-size:18px;font-weight:600}
.main{padding:28px 32px}
h1{font-size:24px;line-height:1.25;margin:0 0 16px}
p{margin:0 0 16px}
.card{border:1px solid #d5dde3;border-radius:6px;padding:16px 20px;margin:0 0 20px}
.button{display:inline-block;background:#0b6b5d;color:#ffffff;text-decoration:none;padding:13px 24px;border-radius:6px;
font-weight:600}
.foot{padding:20px 32px 32px;border-top:1px solid #d5dde3;color:#54636f;font-size:13px}
.foot a{color:#54636f}
@media (max-width:480px){.head,.main,.foot{padding-left:20px;padding-right:20px}}
</style>"""

FOOT = """<div class="foot"><p>{{ organization.name }}<br>{{ organization.postal_address }}</p>
<p><a href="{{ unsubscribe_url }}">Stop these mails</a> ·
<a href="{{ preferences_url }}">Choose which mails you get</a></p></div>"""


def page(main: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">{STYLE}</head>\n<body>\n<div class="page">\n'
        f'<div class="head">{{{{ organization.name }}}}</div>\n<div class="main">\n{main}\n</div>\n'
        f"{FOOT}\n</div>\n</body>\n</html>\n"
    )


HELLO = "<p>Dear {{ first_name|default('friend') }},</p>"

#: key -> the fields of a Template.
STARTERS: dict[str, dict[str, str]] = {
    "new_product": {
        "name": "New product or service",
        "subject": "New at {{ organization.name }}",
        "preheader": "Something new that may help you",
        "html": page(
            f"""<h1>We have something new</h1>
{HELLO}
<p>From this month on we offer a new service. Here is what it does, who it is for, and how to get it.</p>
<div class="card"><strong>What is new</strong><br>Say in two sentences what it is and what it does for people.</div>
<p><a class="button" href="https://clinic.example/new">Read more</a></p>
<p>Questions? Call us or reply to this mail.</p>"""
        ),
        "purpose": Purpose.MARKETING,
        "message_class": MessageClass.COMMERCIAL,
    },
    "offer": {
        "name": "Offer",
        "subject": "An offer from {{ organization.name }}",
        "preheader": "Good until the end of the month",
        "html": page(
            f"""<h1>An offer for you</h1>
{HELLO}
<p>Until the end of this month you save on a service many people ask us for.</p>
<div class="card"><strong>Your offer</strong><br>20 % off until the 30th. Show this mail at the front desk.</div>
<p><a class="button" href="https://clinic.example/offer">See the details</a></p>"""
        ),
        "purpose": Purpose.MARKETING,
        "message_class": MessageClass.COMMERCIAL,
    },
    "reminder": {
        "name": "Refill, appointment or screening reminder",
        "subject": "A reminder from {{ organization.name }}",
        "preheader": "Please take a minute to read this",
        "html": page(
            f"""<h1>A friendly reminder</h1>
{HELLO}
<p>It is time for your next visit with us. Booking takes two minutes, online or by phone.</p>
<div class="card"><strong>What to bring</strong><br>Your insurance card and a list of the medicines you take.</div>
<p><a class="button" href="https://clinic.example/book">Book a time</a></p>
<p>Already booked? Then there is nothing more to do.</p>"""
        ),
        "purpose": Purpose.TREATMENT,
        "message_class": MessageClass.OTHER,
    },
    "order": {
        "name": "Order confirmation",
        "subject": "We have your order",
        "preheader": "What happens next",
        "html": page(
            f"""<h1>Thank you, we have your order</h1>
{HELLO}
<p>We are getting it ready. You will hear from us when it leaves.</p>
<div class="card"><strong>Good to know</strong><br>
Orders leave within two working days. Call us to change anything.</div>
<p><a class="button" href="https://clinic.example/orders">See your order</a></p>"""
        ),
        "purpose": Purpose.PAYMENT,
        "message_class": MessageClass.TRANSACTIONAL,
    },
    "education": {
        "name": "Education",
        "subject": "Good to know: staying well this season",
        "preheader": "Three things that help, in three minutes",
        "html": page(
            f"""<h1>Staying well this season</h1>
{HELLO}
<p>Three small things help more than most people think.</p>
<div class="card"><strong>1. Move a little every day.</strong> Twenty minutes of walking count.</div>
<div class="card"><strong>2. Sleep.</strong> Seven hours is a good aim for most adults.</div>
<div class="card"><strong>3. Keep your visits.</strong> Small things are best found early.</div>
<p><a class="button" href="https://clinic.example/wellness">Read the guide</a></p>"""
        ),
        "purpose": Purpose.OPERATIONS,
        "message_class": MessageClass.COMMERCIAL,
    },
    "survey": {
        "name": "Satisfaction survey",
        "subject": "How are we doing?",
        "preheader": "Three questions, two minutes",
        "html": page(
            f"""<h1>How are we doing?</h1>
{HELLO}
<p>Your view helps us do better. Three questions, two minutes, and your answers are read by people.</p>
<p><a class="button" href="https://clinic.example/survey">Answer three questions</a></p>
<p>Thank you for your time.</p>"""
        ),
        "purpose": Purpose.OPERATIONS,
        "message_class": MessageClass.OTHER,
    },
}

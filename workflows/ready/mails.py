"""The mails of ready-made journeys: plain, one column, to be rewritten in the clinic's own words."""

from content.starters import HELLO, page
from core.purposes import MessageClass, Purpose

_BUTTON = '<p><a class="button" href="https://clinic.example/{0}">{1}</a></p>'


def _mail(  # noqa: PLR0917  the parts of a mail, in the order they are read
    name: str, subject: str, preheader: str, main: str, purpose: Purpose, kind: MessageClass = MessageClass.OTHER
) -> dict[str, str]:
    return {
        "name": name,
        "subject": subject,
        "preheader": preheader,
        "html": page(main),
        "purpose": purpose,
        "message_class": kind,
    }


CARE, OPERATIONS, COMMERCIAL = Purpose.TREATMENT, Purpose.OPERATIONS, MessageClass.COMMERCIAL

#: key -> the fields of a Template.
MAILS: dict[str, dict[str, str]] = {
    "visit": _mail(
        "Appointment reminder",
        "Your visit with {{ organization.name }}",
        "In three days",
        f"""<h1>See you soon</h1>
{HELLO}
<p>This is a reminder of your visit with us.</p>
<div class="card"><strong>When</strong><br>{{{{ next_visit_at|default('As agreed with you') }}}}</div>
<p>Can you come? One click helps us plan the day.</p>
{_BUTTON.format("confirm", "Yes, I will come")}
<p>Need another time? Call us, or reply to this mail.</p>""",
        CARE,
    ),
    "visit_again": _mail(
        "Appointment reminder, once more",
        "Tomorrow: your visit with {{ organization.name }}",
        "We have not heard from you yet",
        f"""<h1>Your visit is tomorrow</h1>
{HELLO}
<p>We have not heard from you yet, and keep the time free for you.</p>
<div class="card"><strong>When</strong><br>{{{{ next_visit_at|default('As agreed with you') }}}}</div>
{_BUTTON.format("confirm", "Yes, I will come")}
<p>If you cannot come, please tell us today, so that somebody else can.</p>""",
        CARE,
    ),
    "refill": _mail(
        "Refill reminder",
        "A reminder from {{ organization.name }}",
        "It is time for a refill",
        f"""<h1>Time for a refill</h1>
{HELLO}
<p>A prescription you fill with us lasts about one more week. Order the next one now, and it is ready when you need
it.</p>
{_BUTTON.format("refill", "Order the refill")}
<p>Stopped taking it, or have questions? Talk to your care team first.</p>""",
        CARE,
    ),
    "refill_again": _mail(
        "Refill reminder, once more",
        "A second reminder from {{ organization.name }}",
        "Only days left",
        f"""<h1>Only a few days left</h1>
{HELLO}
<p>We have not seen an order for your refill yet. Going without for some days can matter.</p>
{_BUTTON.format("refill", "Order the refill")}
<p>Is something in the way, such as the cost? Call us: there is often help.</p>""",
        CARE,
    ),
    "screening": _mail(
        "Screening invitation",
        "A check-up worth making time for",
        "From your care team",
        f"""<h1>A check-up that is due</h1>
{HELLO}
<p>By our records a check-up that is recommended for you is due. It takes half an hour, and most plans pay all of
it.</p>
{_BUTTON.format("book", "Choose a time")}
<p>Had it somewhere else? Tell us, and we will note it.</p>""",
        CARE,
    ),
    "screening_again": _mail(
        "Screening invitation, once more",
        "Still time for your check-up",
        "Two minutes to book it",
        f"""<h1>Still time for your check-up</h1>
{HELLO}
<p>What is found early is easier to treat. We have times in the evening and on Saturdays.</p>
{_BUTTON.format("book", "Choose a time")}""",
        CARE,
    ),
    "welcome": _mail(
        "Welcome",
        "Welcome to {{ organization.name }}",
        "What you will get from us, and how often",
        f"""<h1>Welcome</h1>
{HELLO}
<p>Thank you for asking for our mails. You get one or two a month: small things that help, and what is new here.</p>
<p>You can stop them with one click at the end of every mail.</p>
{_BUTTON.format("start", "Start here")}""",
        OPERATIONS,
        COMMERCIAL,
    ),
    "welcome_people": _mail(
        "Welcome: the people here",
        "The people who look after you",
        "Names and faces",
        f"""<h1>The people who look after you</h1>
{HELLO}
<p>It is easier to call somebody one knows. Meet the team.</p>
{_BUTTON.format("team", "Meet the team")}""",
        OPERATIONS,
        COMMERCIAL,
    ),
    "welcome_help": _mail(
        "Welcome: five things worth knowing",
        "Five things worth knowing",
        "Opening hours, after hours, records, refills, questions",
        f"""<h1>Five things worth knowing</h1>
{HELLO}
<p>When we are open, whom to call after hours, how to see your records, order a refill and ask a question.</p>
{_BUTTON.format("help", "Read the five")}""",
        OPERATIONS,
        COMMERCIAL,
    ),
    "still": _mail(
        "Are our mails still of use?",
        "Shall we keep writing?",
        "One click is enough",
        f"""<h1>Shall we keep writing?</h1>
{HELLO}
<p>You asked for our mails, and have not looked into one for a while. That is fine. Are they still of use to you?</p>
{_BUTTON.format("yes", "Yes, keep writing")}""",
        OPERATIONS,
        COMMERCIAL,
    ),
    "goodbye": _mail(
        "The last one for now",
        "The last one for now",
        "Unless you say otherwise",
        f"""<h1>The last one for now</h1>
{HELLO}
<p>We will write less from now on. If you want to hear from us as before, one click is enough.</p>
{_BUTTON.format("yes", "Write as before")}""",
        OPERATIONS,
        COMMERCIAL,
    ),
    "survey": _mail(
        "After your visit",
        "How was your visit?",
        "Three questions, two minutes",
        f"""<h1>How was your visit?</h1>
{HELLO}
<p>You were with us the other day. What went well, and what should we do better? People read every answer.</p>
{_BUTTON.format("survey", "Answer three questions")}""",
        OPERATIONS,
    ),
    "survey_again": _mail(
        "After your visit, once more",
        "Two minutes for us?",
        "Three questions about your visit",
        f"""<h1>Two minutes for us?</h1>
{HELLO}
<p>We would still like to hear how your visit was. This is the last time we ask.</p>
{_BUTTON.format("survey", "Answer three questions")}""",
        OPERATIONS,
    ),
    "plan": _mail(
        "Plan application: what you need",
        "Your application: what you need",
        "Four papers, and who helps with them",
        f"""<h1>What you need for your application</h1>
{HELLO}
<p>You have begun to apply for a plan. Have these ready: proof of income, your current plan, your doctors, your
medicines.</p>
{_BUTTON.format("apply", "Go on with it")}
<p>Stuck? We help with it, free of charge.</p>""",
        OPERATIONS,
    ),
    "plan_soon": _mail(
        "Plan application: two weeks left",
        "Two weeks left for your application",
        "It takes about twenty minutes",
        f"""<h1>Two weeks left</h1>
{HELLO}
<p>Your application is not finished yet. It takes about twenty minutes.</p>
{_BUTTON.format("apply", "Finish it")}""",
        OPERATIONS,
    ),
    "plan_last": _mail(
        "Plan application: last days",
        "The last days for your application",
        "We help by phone",
        f"""<h1>The last days</h1>
{HELLO}
<p>After the deadline the next chance is a year away. Call us, and we finish it together.</p>
{_BUTTON.format("apply", "Finish it")}""",
        OPERATIONS,
    ),
}

"""Answer the question how many people match, each asker as far as they may know."""

import hashlib
import hmac
from datetime import timedelta

from django.db import connection, transaction

from accounts.models import ApiToken, User
from accounts.policy import Action
from audit import commands as audit
from audit.models import Entry
from contacts.models import Contact
from core import clock
from phi.keyring import keyring
from segments import asking, queries
from segments import catalog as catalogs
from segments.asking import Answer, Told
from segments.catalog import Catalog
from segments.commands import permit, permit_beside_health, too_small
from segments.errors import PartTooSmall, TooManyQuestions
from segments.models import Question
from segments.tree import Rule, nodes_of

Asker = User | ApiToken

#: How many answers somebody without small cells gets in a day, and how long answers are held against later ones.
QUESTIONS_A_DAY = 200
REMEMBERED = timedelta(days=90)
#: One at a time, so that two answers given at once cannot be played against each other.
LOCK = 0x5E6_0041
#: The same question about a known person's health is recorded once within this time: counts follow every keystroke.
RECORDED_AGAIN = timedelta(hours=1)
PERSON_ASKED = "segment.person_asked"


def ask(rule: Rule, *, by: Asker, catalog: Catalog | None = None, saved: bool = False) -> Answer:
    """How many people match, as far as the asker may know. `saved`: somebody who may combined it, and kept it.

    Raises IdentifiersWithHealth, PartTooSmall, TooManyQuestions.
    """
    catalog = catalog or catalogs.load()
    exact = by.may(Action.SMALL_CELLS)
    if not (saved and exact):
        permit(rule, catalog, by)
        if exact:
            permit_beside_health(rule, catalog, by)
    if exact:
        _record_if_about_a_person(rule, by, catalog)
        return Answer(queries.count(rule, catalog=catalog), exact=True)
    found = _ask_guarded(rule, by, catalog)
    if isinstance(found, PartTooSmall):  # raised here, after the question was counted
        raise found
    return found


def _record_if_about_a_person(rule: Rule, by: Asker, catalog: Catalog) -> None:
    """Who asks about a known person's health leaves a trace as who reveals it: which fields, never what was asked."""
    if not queries.mixes_identifiers_with_health(rule, catalog):
        return
    text = repr(rule).encode(errors="surrogatepass")
    question = hmac.new(keyring().secret("segments:questions"), text, hashlib.sha256).hexdigest()[:32]
    since = clock.now() - RECORDED_AGAIN
    lately = Entry.objects.filter(action=PERSON_ASKED, actor_id=by.as_actor().id, at__gt=since)
    if not lately.filter(details__question=question).exists():
        audit.record(PERSON_ASKED, by=by, fields=queries.fields_of(rule, catalog), question=question)


@transaction.atomic
def _ask_guarded(rule: Rule, by: Asker, catalog: Catalog) -> Answer | PartTooSmall:
    asker = by.owner_id if isinstance(by, ApiToken) else by.pk
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    now = clock.now()
    if Question.objects.filter(asked_by=asker, at__gt=now - timedelta(days=1)).count() >= QUESTIONS_A_DAY:
        raise TooManyQuestions(f"You asked {QUESTIONS_A_DAY} questions within a day. Go on tomorrow.")
    Question.objects.filter(at__lt=now - REMEMBERED).delete()
    question = Question.objects.create(asked_by=asker, at=now)
    parts = nodes_of(rule.root)[1:]
    small = asking.small_part(queries.counts(rule, parts, catalog))
    if small is not None:
        return too_small(parts[small], catalog)
    numbers = {i.bytes: n for i, n in Contact.objects.values_list("id", "number")}
    size = max(numbers.values(), default=0)
    members = asking.bits((numbers[i] for i in queries.members(rule, catalog=catalog) if i in numbers), size)
    found, news = asking.answer(members, asking.bits(numbers.values(), size), _told())
    if news:
        question.answer = {"count": found.count, "members": asking.pack(members, size)}
        question.save(update_fields=["answer"])
    return found


def _told() -> list[Told]:
    """Every answer still remembered, whoever asked: two people may compare notes."""
    kept = Question.objects.filter(answer__isnull=False).order_by("at")
    return [Told(a["count"], asking.unpack(a["members"])) for a in kept.values_list("answer", flat=True)]


def may_sample(asker: Asker, rule: Rule, catalog: Catalog) -> bool:
    """Whether somebody may look at a masked sample: whoever sees small cells and contacts, unless the rule would say
    of a known person what they have."""
    if queries.mixes_identifiers_with_health(rule, catalog):
        return False
    return asker.may(Action.SMALL_CELLS) and asker.may(Action.CONTACTS_VIEW)

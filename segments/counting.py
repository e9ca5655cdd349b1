"""Answer the question how many people match, each asker as far as they may know."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from pyroaring import BitMap

from accounts.models import ApiToken, User
from accounts.policy import Action
from audit import commands as audit
from audit.models import Entry
from core import clock
from phi import seal
from phi.keyring import keyring
from segments import asking, commands, fanout, membership, queries
from segments import catalog as catalogs
from segments.asking import Answer, Told
from segments.catalog import Catalog
from segments.commands import permit, permit_beside_health, too_small
from segments.errors import NearlyTheSame, TooManyQuestions
from segments.models import Question, Segment
from segments.rules import parse
from segments.tree import Group, Node, Rule, nodes_of

Asker = User | ApiToken

#: How many answers somebody without small cells gets in a day, and how long answers are held against later ones.
QUESTIONS_A_DAY = 200
REMEMBERED = timedelta(days=90)
#: How many of a day's questions may be worded anew and yet be about nearly the people of an earlier answer.
NEAR_A_DAY = 50
DAY = timedelta(days=1)
#: Crowds that differ by fewer than asking.CELL, and by chance up to so many more, are told the same.
SPREAD = 10
#: One at a time, so that two answers given at once cannot be played against each other.
LOCK = 0x5E6_0041
#: First key of the locks of who counts a saved segment, and how long what they found is told instead of counted anew.
SPACE = 0x5E61
FRESH = timedelta(seconds=15)
#: The same question about a known person's health is recorded once within this time: counts follow every keystroke.
RECORDED_AGAIN = timedelta(hours=1)
PERSON_ASKED = "segment.person_asked"

#: Answers opened by this process, so that a question opens only those given since.
_opened: dict[UUID, Told] = {}


@dataclass(frozen=True, slots=True)
class Counted:
    """How many match a saved segment, and as of when; `anew`: counted for this question."""

    answer: Answer
    at: datetime
    anew: bool


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two crowds, region by region."""

    both: Answer
    only_one: Answer
    only_other: Answer


def ask(rule: Rule, *, by: Asker, catalog: Catalog | None = None, saved: bool = False) -> Answer:
    """How many people match, as far as the asker may know. `saved`: somebody who may combined it, and kept it.

    Raises IdentifiersWithHealth, PartTooSmall, TooManyQuestions, NearlyTheSame.
    """
    catalog = catalog or catalogs.load()
    if _exactly(rule, by, catalog, saved=saved):
        return Answer(queries.count(rule, catalog=catalog), exact=True)
    question = _charge(by, [rule])[0]
    (members,), everybody = _permitted(rule, [rule.root], nodes_of(rule.root)[1:], catalog, _apart(question))
    return _told(by, [question], [members], everybody)[0]


def ask_saved(segment: Segment, *, by: Asker, catalog: Catalog | None = None) -> Counted:
    """How many people match a saved segment, as `ask` tells it: whoever may combined what it asks, and kept it.

    However many ask, it is counted once at a time, and not again while what was found is FRESH; where answers are made
    so that none can be played against another, the day's questions are the limit. Raises as `ask`, and RuleError.
    """
    catalog = catalog or catalogs.load()
    rule = parse(queries.rule_of(segment), catalog)
    if not by.may(Action.SMALL_CELLS):
        return Counted(ask(rule, by=by, catalog=catalog, saved=True), clock.now(), anew=True)
    _exactly(rule, by, catalog, saved=True)
    with membership.alone_on(segment.pk, space=SPACE):
        segment.refresh_from_db(fields=["last_count", "counted_at"])
        at, found = segment.counted_at, segment.last_count
        fresh = at is not None and found is not None and timedelta(0) <= clock.now() - at < FRESH
        if not fresh:
            found = queries.count(rule, catalog=catalog)
            commands.keep_count(segment, found)
    assert segment.counted_at is not None
    return Counted(Answer(found, exact=True), segment.counted_at, anew=not fresh)


def ask_parts(rule: Rule, parts: Sequence[Node], *, by: Asker, catalog: Catalog | None = None) -> list[Answer]:
    """As `ask`, and how many people each of these parts of the rule matches by itself: a question each. The whole
    comes first. Raises as `ask`."""
    catalog = catalog or catalogs.load()
    asked = [rule.root, *parts]
    if _exactly(rule, by, catalog, saved=False):
        return [Answer(n, exact=True) for n in queries.counts(rule, asked, catalog)]
    rules = [Rule(node if isinstance(node, Group) else Group("all", (node,))) for node in asked]
    questions = _charge(by, rules)
    crowds, everybody = _permitted(rule, asked, nodes_of(rule.root)[1:], catalog, _apart(questions[0]))
    return _told(by, questions, crowds, everybody)


def ask_overlap(one: Rule, other: Rule, *, by: Asker, catalog: Catalog | None = None) -> Overlap:
    """How many people two rules have in common, and how many each has alone. Raises as `ask`: nobody who may combined
    the two and kept that, also where each was kept by itself."""
    catalog = catalog or catalogs.load()
    rule = Rule(Group("any", (one.root, other.root)))
    # Each of the regions is a question about both rules: what may not be asked at once may not be overlapped.
    exact = _exactly(rule, by, catalog, saved=False)
    questions = [] if exact else _charge(by, [Rule(Group(match, rule.root.items)) for match in ("all", "any", "none")])
    parts = [] if exact else [*nodes_of(one.root)[1:], *nodes_of(other.root)[1:]]
    apart = asking.CELL if exact else _apart(questions[0])
    (a, b), everybody = _permitted(rule, [one.root, other.root], parts, catalog, apart)
    regions = [a & b, a - b, b - a]
    if exact:
        return Overlap(*(Answer(len(region), exact=True) for region in regions))
    return Overlap(*_told(by, questions, regions, everybody))


def _exactly(rule: Rule, by: Asker, catalog: Catalog, *, saved: bool) -> bool:
    """Whether the asker may have the exact count; what they may not ask at all raises."""
    exact = by.may(Action.SMALL_CELLS)
    if not (saved and exact):
        permit(rule, catalog, by)
        if exact:
            permit_beside_health(rule, catalog, by)
    if exact:
        _record_if_about_a_person(rule, by, catalog)
    return exact


def _record_if_about_a_person(rule: Rule, by: Asker, catalog: Catalog) -> None:
    """Who asks about a known person's health leaves a trace as who reveals it: which fields, never what was asked."""
    if not queries.mixes_identifiers_with_health(rule, catalog):
        return
    question = _wording(rule).hex()[:32]
    since = clock.now() - RECORDED_AGAIN
    lately = Entry.objects.filter(action=PERSON_ASKED, actor_id=by.as_actor().id, at__gt=since)
    if not lately.filter(details__question=question).exists():
        audit.record(PERSON_ASKED, by=by, fields=queries.fields_of(rule, catalog), question=question)


def _wording(rule: Rule) -> bytes:
    """A keyed hash of the question as it is asked."""
    text = repr(rule).encode(errors="surrogatepass")
    return hmac.new(keyring().secret("segments:questions"), text, hashlib.sha256).digest()


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


@transaction.atomic
def _charge(by: Asker, rules: Sequence[Rule]) -> list[Question]:
    """Count these questions against the asker's day, before anything is looked at: refused ones count, too."""
    asker = by.owner_id if isinstance(by, ApiToken) else by.pk
    _lock()
    now = clock.now()
    today = Question.objects.filter(asked_by=asker, at__gt=now - DAY)
    if today.count() + len(rules) > QUESTIONS_A_DAY:
        raise TooManyQuestions(f"You asked {QUESTIONS_A_DAY} questions within a day. Go on tomorrow.")
    if today.filter(near=True).count() >= NEAR_A_DAY:
        raise NearlyTheSame(
            f"{NEAR_A_DAY} of your questions within a day were nearly the same as earlier ones: they differed by a "
            f"handful of people, and fewer than {asking.CELL} are never told apart. Go on tomorrow, or ask somebody "
            "who may see small counts."
        )
    Question.objects.filter(at__lt=now - REMEMBERED).delete()
    return Question.objects.bulk_create(Question(asked_by=asker, at=now, wording=_wording(rule)) for rule in rules)


def _permitted(
    rule: Rule, wanted: list[Node], parts: list[Node], catalog: Catalog, apart: int
) -> tuple[list[BitMap], BitMap]:
    """Whom the wanted nodes match, and everybody. Raises PartTooSmall where a part is about a handful."""
    everybody, *found = fanout.crowds(rule, [*wanted, *parts], clock.now(), catalog)
    small = asking.small_part([len(crowd) for crowd in found[len(wanted) :]], apart)
    if small is not None:
        raise too_small(parts[small], catalog)
    return found[: len(wanted)], everybody


def _apart(question: Question) -> int:
    """By how many people crowds must differ to be told apart: chance decides, once for each wording."""
    return asking.CELL + question.wording[0] % SPREAD


@transaction.atomic
def _told(by: Asker, questions: Sequence[Question], asked: Sequence[BitMap], everybody: BitMap) -> list[Answer]:
    """An answer a question, one after another, each remembered before the next."""
    _lock()
    before, answers = _remembered(), []
    for question, members in zip(questions, asked, strict=True):
        found, news = asking.answer(members, everybody, before, _apart(question))
        answers.append(found)
        if news is not None:
            _remember(question, news, members, everybody)
            before.append(news)
        elif found.count is not None:
            question.near = not _asked_before(question)
            question.save(update_fields=["near"])
    return answers


def _asked_before(question: Question) -> bool:
    """Whether the same person asked the same lately, word for word: who counts again does not try anything."""
    same = Question.objects.filter(
        asked_by=question.asked_by, wording=question.wording, at__gt=question.at - REMEMBERED
    )
    return same.exclude(pk=question.pk).exists()


def _aad(question: UUID) -> bytes:
    return seal.aad("segments_question", question.bytes)


def _remember(question: Question, news: Told, members: BitMap, everybody: BitMap) -> None:
    """Keep an answer, in a length that depends on how many contacts there ever were, not on who is in it (IDX-07)."""
    key, wrapped = seal.new_data_key()
    containers = (max(everybody.max() if everybody else 0, members.max()) >> 16) + 1
    size = 12 + containers * (8 + 8192)  # the most that Roaring takes, and the length before it
    question.answer = {"told": news.count, "lots": news.lots.tolist()}
    question.kek_id, question.data_key = wrapped
    question.members = seal.seal(members.serialize(), key=key, aad=_aad(question.pk), sizes=(size,))
    question.save(update_fields=["answer", "kek_id", "data_key", "members"])


def _remembered() -> list[Told]:
    """Every answer still remembered, whoever asked: two people may compare notes."""
    ids = list(Question.objects.filter(data_key__isnull=False).order_by("at", "pk").values_list("pk", flat=True))
    if new := [i for i in ids if i not in _opened]:
        for pk, kept in Question.objects.filter(pk__in=new).values_list("pk", "answer"):
            lots = np.array(kept["lots"], dtype=np.int64)
            _opened[pk] = Told(kept["told"], lots, partial(_members, pk))
    for gone in _opened.keys() - set(ids):
        del _opened[gone]
    return [_opened[i] for i in ids]


def _members(question: UUID) -> BitMap:
    kept = Question.objects.only("kek_id", "data_key", "members").get(pk=question)
    assert kept.data_key is not None
    assert kept.members is not None
    key = seal.unwrap(seal.WrappedKey(kept.kek_id, bytes(kept.data_key)))
    return BitMap.deserialize(seal.open_sealed(bytes(kept.members), key=key, aad=_aad(question)))


def least_named(asker: Asker) -> int:
    """So many people must have a code for an asker to be told its name: that it has one says that somebody has it."""
    return 0 if asker.may(Action.SMALL_CELLS) else asking.CELL


def may_sample(asker: Asker, rule: Rule, catalog: Catalog) -> bool:
    """Whether somebody may look at a masked sample: whoever sees small cells and contacts, unless the rule would say
    of a known person what they have."""
    if queries.mixes_identifiers_with_health(rule, catalog):
        return False
    return asker.may(Action.SMALL_CELLS) and asker.may(Action.CONTACTS_VIEW)

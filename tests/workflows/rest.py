"""What a world came to besides its traces: values, lists, notices, mails taken back, and the sums."""

from collections import Counter

from contacts.models import Contact
from contacts.seal import open_record
from delivery.models import Delivery
from segments import membership
from segments.models import Segment
from tests.workflows.truth import Both
from workflows.models import Notice, Tally, VersionMail


def the_rest_agrees(both: Both) -> None:
    """At the end: what steps set, whom they listed, told and called, which mails were taken back, and the sums."""
    known = {contact.pk: contact for contact in Contact.objects.filter(pk__in=both.world.people)}
    listed = {known[pk].number: pk for pk in known}
    kept = membership.newest(Segment.objects.get(pk=both.setting.list_id))
    on_list = {listed[number] for number in (kept.members if kept else ()) if number in listed}
    for person in both.people:
        assert (person.id in known) == person.exists
        if person.exists:
            values = open_record(known[person.id]).values
            assert {key: values.get(key) for key in person.values} == person.values
            assert (person.id in on_list) == (both.setting.list_id in person.lists)
    told: Counter[object] = Counter()
    sums: Counter[object] = Counter()
    for stay in both.stays_by_name().values():
        for one in stay.passed:
            kind = stay.journey.versions[one.version]["steps"][one.step]["kind"]
            version = both.versions[stay.journey.name][one.version].pk
            told[stay.person.id] += kind == "tell" and bool(one.way)
            what = "passed" if one.way or one.note == "end" else "goal" if one.note == "goal" else "left"
            sums[version, one.step, what] += 1
    found = Counter(Notice.objects.filter(workflow__in=both.workflows.values()).values_list("contact_id", flat=True))
    assert {who: told[who] for who in known if told[who]} == {who: found[who] for who in known if found[who]}
    tallies: Counter[object] = Counter()
    for tally in Tally.objects.filter(version__workflow__in=both.workflows.values()):
        if tally.what in ("passed", "goal", "left"):
            tallies[tally.version_id, tally.step, tally.what] += tally.count
    assert +tallies == +sums, (+tallies, +sums)
    visits = {
        (name, who, f"{sequence}.{visit}")
        for (name, who, sequence, visit), outcome in both.world.outcomes.items()
        if outcome == "cancelled"
    }
    names = {workflow.pk: name for name, workflow in both.workflows.items()}
    mails = dict(VersionMail.objects.filter(version__workflow__in=names).values_list("pk", "version__workflow"))
    taken = Delivery.objects.filter(origin__in=mails, outcome="cancelled")
    back = {(names[mails[one.origin_id]], one.contact_id, one.visit) for one in taken}
    assert back == visits, (back - visits, visits - back)

from datetime import timedelta
from functools import partial

import pytest

from consent import commands, queries
from consent.errors import EvidenceMissing, NothingToConfirm, OptedOutByPerson
from consent.models import Act, LedgerEntry, Source, Suppression
from contacts import commands as people
from core import clock
from core.actors import PATIENT, SYSTEM
from phi import blind
from phi.errors import KeyUnavailable
from tests.consent.factories import DOCUMENT, EVIDENCE, TopicFactory, contact, opted_in

pytestmark = pytest.mark.django_db


def state(person, topic):
    return queries.facts_for([person.pk], topic.pk if topic else None)[person.pk]


def test_nobody_is_in_who_never_said_so():
    assert state(contact(), TopicFactory()).opted_in is None


def test_an_opt_in_counts_for_its_topic_only():
    news, offers, person = TopicFactory(), TopicFactory(), contact()
    entry = opted_in(news, contact_id=person.pk)
    assert state(person, news).opted_in == entry.pk
    assert state(person, offers).opted_in is None


@pytest.mark.parametrize("evidence", [{}, {"text": "  "}, {"address": "192.0.2.1"}, {"text": "x", "mood": "good"}])
def test_a_yes_without_evidence_is_refused(evidence):
    with pytest.raises(EvidenceMissing):
        commands.opt_in(contact().pk, TopicFactory(), source=Source.STAFF, evidence=evidence, by=SYSTEM)
    assert not LedgerEntry.objects.exists()


def test_a_text_without_version_is_versioned_by_its_words():
    person, topic = contact(), TopicFactory()
    entry = commands.opt_in(person.pk, topic, source=Source.STAFF, evidence={"text": "Yes"}, by=SYSTEM)
    again = commands.opt_in(person.pk, topic, source=Source.STAFF, evidence={"text": "Yes!"}, by=SYSTEM)
    assert entry.evidence["text_version"] != again.evidence["text_version"]


def test_opting_out_twice_is_written_once():
    topic, person = TopicFactory(), contact()
    opted_in(topic, contact_id=person.pk)
    one = commands.opt_out(person.pk, topic, source=Source.ONE_CLICK, by=PATIENT)
    two = commands.opt_out(person.pk, topic, source=Source.ONE_CLICK, by=PATIENT)
    assert one == two
    assert state(person, topic).opted_out


def test_opting_out_of_everything_holds_for_every_topic_and_suppresses_the_address():
    topic, person = TopicFactory(), contact("all@example.com")
    opted_in(topic, contact_id=person.pk)
    commands.opt_out(person.pk, source=Source.PREFERENCES, by=PATIENT)
    assert state(person, topic).opted_out_all
    assert state(person, None).opted_out_all
    own = blind.index("suppression", "all@example.com")
    assert queries.suppressed([own, b"x" * 32]) == {own: "unsubscribed"}


def test_a_new_opt_in_lifts_an_opt_out_of_everything_for_its_topic_alone():
    news, offers, person = TopicFactory(), TopicFactory(), contact()
    opted_in(offers, contact_id=person.pk)
    commands.opt_out(person.pk, source=Source.PREFERENCES, by=PATIENT)
    opted_in(news, contact_id=person.pk)
    assert not state(person, news).opted_out_all
    assert state(person, offers).opted_out_all
    assert state(person, None).opted_out_all


def test_taking_back_an_opt_out_of_everything_restores_what_was_before():
    news, person = TopicFactory(), contact("undo@example.com")
    before = opted_in(news, contact_id=person.pk)
    commands.opt_out(person.pk, source=Source.MAIL_LINK, by=PATIENT)
    commands.opt_in(person.pk, source=Source.MAIL_LINK, evidence=EVIDENCE, by=PATIENT)
    assert state(person, news) == queries.ConsentFacts(opted_in=before.pk)
    assert not queries.suppressed([blind.index("suppression", "undo@example.com")])


def test_an_opt_out_survives_deletion_and_reimport():
    topic, person = TopicFactory(), contact("gone@example.com")
    commands.opt_out(person.pk, topic, source=Source.ONE_CLICK, by=PATIENT)
    people.delete(person, by=SYSTEM)
    back, other = contact("Gone@Example.com"), contact()
    consent = {"topics": [str(topic.pk)], "source": "Paper form", "given_on": "2020-01-01"}
    written = commands.record_import(
        back.pk, created_ids=[back.pk, other.pk], matched_ids=[], consent=consent, by=SYSTEM
    )
    assert written == 1
    assert state(back, topic).opted_in is None
    assert state(other, topic).opted_in


def test_somebody_who_comes_back_sees_the_no_of_their_address_and_can_take_it_back():
    care, news = TopicFactory(requires_opt_in=False), TopicFactory(requires_opt_in=False)
    person = contact("again@example.com")
    commands.opt_out(person.pk, care, source=Source.ONE_CLICK, by=PATIENT)
    people.delete(person, by=SYSTEM)
    back = contact("again@example.com")
    assert [s.receives for s in queries.states_of(back.pk)] == [False, True]
    assert [s.receives for s in queries.states_of(contact().pk)] == [True, True]
    save = partial(commands.save_preferences, back.pk, source=Source.PREFERENCES, evidence=EVIDENCE, by=PATIENT)
    assert save({news.pk}) == 0
    assert save({care.pk, news.pk}) == 1
    assert [s.receives for s in queries.states_of(back.pk)] == [True, True]


def test_an_import_never_overrules_a_no_and_repeats_nothing():
    topic, out, all_out, fresh = TopicFactory(), contact(), contact(), contact()
    commands.opt_out(out.pk, topic, source=Source.ONE_CLICK, by=PATIENT)
    commands.opt_out(all_out.pk, source=Source.ONE_CLICK, by=PATIENT)
    consent = {"topics": [str(topic.pk)], "source": "Paper form", "address_confirmed": True}
    ids = [out.pk, all_out.pk, fresh.pk]
    for written in (1, 0):
        assert commands.record_import(topic.pk, created_ids=[], matched_ids=ids, consent=consent, by=SYSTEM) == written
    assert state(out, topic).opted_out
    assert state(all_out, topic).opted_out_all
    assert state(fresh, topic).opted_in
    assert state(fresh, topic).address_confirmed
    assert LedgerEntry.objects.filter(act=Act.OPT_IN).count() == 1
    assert LedgerEntry.objects.filter(act=Act.ADDRESS_CONFIRMED).count() == 3


@pytest.mark.parametrize("everything", [False, True])
def test_an_import_with_a_new_address_does_not_overrule_a_no_either(everything):
    topic, person = TopicFactory(), contact("old@example.com")
    commands.opt_out(person.pk, None if everything else topic, source=Source.ONE_CLICK, by=PATIENT)
    people.update(person, values={"email": "new@example.com"}, by=SYSTEM)
    consent = {"topics": [str(topic.pk)], "source": "Paper form"}
    assert commands.record_import(topic.pk, created_ids=[], matched_ids=[person.pk], consent=consent, by=SYSTEM) == 0
    assert not queries.receives(state(person, topic), topic)


def test_a_host_whose_clock_is_ahead_does_not_outlive_a_later_no():
    topic, person = TopicFactory(), contact()
    with clock.set_to(clock.now() + timedelta(minutes=5)):
        opted_in(topic, contact_id=person.pk)
    commands.opt_out(person.pk, topic, source=Source.ONE_CLICK, by=PATIENT)
    assert state(person, topic).opted_out
    assert [s.facts.opted_out for s in queries.states_of(person.pk)] == [True]


def test_undoing_an_import_takes_back_what_it_wrote_and_nothing_said_since():
    topic, one, two = TopicFactory(), contact(), contact()
    consent = {"topics": [str(topic.pk)], "source": "Paper form"}
    commands.record_import(topic.pk, created_ids=[one.pk, two.pk], matched_ids=[], consent=consent, by=SYSTEM)
    kept = opted_in(topic, contact_id=two.pk)
    assert commands.undo_import(topic.pk, by=SYSTEM) == 1
    assert state(one, topic) == queries.ConsentFacts()
    assert state(two, topic).opted_in == kept.pk


def test_a_double_opt_in_confirms_both_the_wish_and_the_address():
    topic, person = TopicFactory(), contact()
    asked = commands.request_opt_in(person.pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    assert state(person, topic).opted_in is None
    yes = commands.confirm_opt_in(asked.pk, evidence={"agent": "Phone"}, by=PATIENT)
    found = state(person, topic)
    assert (found.opted_in, found.double) == (yes.pk, True)
    assert found.address_confirmed
    assert yes.evidence["text"] == EVIDENCE["text"]
    assert commands.confirm_opt_in(asked.pk, evidence={}, by=PATIENT) == yes


@pytest.mark.parametrize("scope", ["topic", "all"])
def test_an_old_confirmation_link_does_not_undo_a_later_opt_out(scope):
    topic, person = TopicFactory(), contact()
    asked = commands.request_opt_in(person.pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    commands.confirm_opt_in(asked.pk, evidence={}, by=PATIENT)
    commands.opt_out(person.pk, topic if scope == "topic" else None, source=Source.ONE_CLICK, by=PATIENT)
    with pytest.raises(NothingToConfirm):
        commands.confirm_opt_in(asked.pk, evidence={}, by=PATIENT)
    assert not queries.receives(state(person, topic), topic)


def test_a_confirmation_counts_only_for_the_address_it_was_sent_to():
    topic, person = TopicFactory(), contact("old@example.com")
    asked = commands.request_opt_in(person.pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    people.update(person, values={"email": "new@example.com"}, by=SYSTEM)
    with pytest.raises(NothingToConfirm):
        commands.confirm_opt_in(asked.pk, evidence={}, by=PATIENT)


def test_a_confirmed_address_stops_counting_when_the_address_changes():
    person = contact("old@example.com")
    commands.confirm_address(person.pk, source=Source.STAFF, evidence={"note": "by phone"}, by=SYSTEM)
    assert state(person, None).address_confirmed
    people.update(person, values={"email": "new@example.com"}, by=SYSTEM)
    assert state(person, None).address_confirmed is None


def test_a_bounced_address_must_be_confirmed_anew():
    person = contact("bounced@example.com")
    commands.confirm_address(person.pk, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    commands.suppress("bounced@example.com", reason=Suppression.Reason.STAFF, by=SYSTEM)
    assert state(person, None).address_confirmed
    commands.suppress("bounced@example.com", reason=Suppression.Reason.BOUNCED, by=SYSTEM)
    assert state(person, None).address_confirmed is None
    commands.confirm_address(person.pk, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    assert state(person, None).address_confirmed


def test_an_opt_out_holds_even_where_the_person_cannot_be_opened(monkeypatch):
    topic, person = TopicFactory(), contact()
    opted_in(topic, contact_id=person.pk)

    def no_key(ids):
        raise KeyUnavailable("No key.")

    monkeypatch.setattr("contacts.queries.open_many", no_key)
    commands.opt_out(person.pk, source=Source.ONE_CLICK, by=PATIENT)
    assert state(person, topic).opted_out_all


def test_asking_again_at_once_sends_no_second_mail(django_capture_on_commit_callbacks):
    topic, person = TopicFactory(), contact()
    with django_capture_on_commit_callbacks() as jobs:
        one = commands.request_opt_in(person.pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
        two = commands.request_opt_in(person.pk, topic, source=Source.FORM, evidence=EVIDENCE, by=SYSTEM)
    assert one == two
    assert len(jobs) == 1


def test_an_authorization_is_a_fact_until_it_is_revoked():
    person = contact()
    signed = commands.authorize(person.pk, document=DOCUMENT, source=Source.STAFF, by=SYSTEM)
    found = state(person, None).authorization
    assert (found.id, found.complete, found.purposes) == (signed.pk, True, ("marketing",))
    for _ in range(2):
        commands.revoke_authorization(signed, source=Source.STAFF, by=SYSTEM)
    assert state(person, None).authorization is None
    assert LedgerEntry.objects.filter(act=Act.AUTHORIZATION_REVOKED).count() == 1


def test_an_opt_in_is_no_authorization():
    topic, person = TopicFactory(), contact()
    opted_in(topic, contact_id=person.pk)
    assert state(person, topic).authorization is None


def test_special_consent_stands_until_revoked():
    person = contact()
    given = commands.give_special_consent(person.pk, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    assert state(person, None).special_consent == given.pk
    commands.revoke_special_consent(person.pk, source=Source.STAFF, by=SYSTEM)
    assert state(person, None).special_consent is None


def test_a_suppressed_address_is_kept_as_a_hash_only_and_can_be_released_with_a_reason():
    held = commands.suppress("Bad@Example.com", reason=Suppression.Reason.BOUNCED, by=SYSTEM)
    own = blind.index("suppression", "bad@example.com")
    assert queries.suppressed([own]) == {own: "bounced"}
    commands.release(held, note="typo corrected", by=SYSTEM)
    assert not queries.suppressed([own])
    commands.suppress("bad@example.com", reason=Suppression.Reason.COMPLAINED, by=SYSTEM)
    assert queries.suppressed([own]) == {own: "complained"}


def test_staff_cannot_release_what_the_person_asked_for():
    commands.opt_out(contact("me@example.com").pk, source=Source.ONE_CLICK, by=PATIENT)
    with pytest.raises(OptedOutByPerson):
        commands.release(Suppression.objects.get(), note="please", by=SYSTEM)


def suppress_one(address, reason):
    commands.suppress(address, reason=reason, by=SYSTEM)


def suppress_list(address, reason):
    commands.suppress_many([address], reason=reason, by=SYSTEM)


@pytest.mark.parametrize("suppress", [suppress_one, suppress_list])
@pytest.mark.parametrize("reason", ["complained", "bounced", "staff", "imported"])
@pytest.mark.parametrize("no_comes_first", [True, False])
def test_a_new_yes_lifts_the_persons_own_no_and_nothing_beside_it(suppress, reason, no_comes_first):
    topic, person = TopicFactory(), contact("loud@example.com")
    own = blind.index("suppression", "loud@example.com")
    no = partial(commands.opt_out, person.pk, source=Source.ONE_CLICK, by=PATIENT)
    both = [no, partial(suppress, "loud@example.com", reason)]
    for happens in both if no_comes_first else reversed(both):
        happens()
    assert queries.suppressed([own]) == {own: reason}
    with pytest.raises(OptedOutByPerson):
        commands.release(Suppression.objects.get(), note="the complaint was a mistake", by=SYSTEM)
    opted_in(topic, contact_id=person.pk)
    assert queries.suppressed([own]) == {own: reason}
    commands.release(Suppression.objects.get(topic=None), note="the complaint was a mistake", by=SYSTEM)
    assert queries.suppressed([own]) == {}


def test_a_list_of_opt_outs_from_elsewhere_is_lifted_by_the_person_alone():
    person = contact("moved@example.com")
    own = blind.index("suppression", "moved@example.com")
    commands.suppress_many(["moved@example.com"], reason="unsubscribed", by=SYSTEM)
    with pytest.raises(OptedOutByPerson):
        commands.release(Suppression.objects.get(), note="please", by=SYSTEM)
    commands.opt_in(person.pk, source=Source.FORM, evidence=EVIDENCE, by=PATIENT)
    assert queries.suppressed([own]) == {}
    commands.opt_out(person.pk, source=Source.FORM, by=PATIENT)
    assert queries.suppressed([own]) == {own: "unsubscribed"}


def test_preferences_change_only_what_differs():
    news, offers, care = TopicFactory(), TopicFactory(), TopicFactory(requires_opt_in=False)
    person = contact()
    opted_in(news, contact_id=person.pk)
    changed = commands.save_preferences(
        person.pk, {offers.pk, care.pk}, source=Source.PREFERENCES, evidence=EVIDENCE, by=PATIENT
    )
    assert changed == 2
    assert [s.receives for s in queries.states_of(person.pk)] == [False, True, True]

"""Consents for machines: the same commands as the pages."""

from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

import contacts.queries
from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from consent import commands, queries
from consent.models import Authorization, Source
from consent.serializers import (
    ActIn,
    AuthorizationIn,
    AuthorizationOut,
    EntryOut,
    LedgerQuery,
    MomentQuery,
    StateOut,
    SuppressionIn,
    SuppressionOut,
    TopicIn,
    TopicOut,
)
from contacts.models import Contact


class Consents(Endpoint):
    scopes = {"GET": Action.CONSENT_VIEW, "POST": Action.CONSENT_RECORD}
    page_ordering = "-number"

    @extend_schema(parameters=[LedgerQuery], responses=EntryOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List the ledger, newest first."""
        asked = LedgerQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        chosen = dict(asked.validated_data)
        contact_id = chosen.pop("contact_id", None)
        return self.paged(queries.ledger(contact_ids=[contact_id] if contact_id else None, **chosen), EntryOut)

    @extend_schema(request=ActIn, responses={201: EntryOut})
    def post(self, request: ApiRequest) -> Response:
        """Record what a person said. `opt_in_requested` sends them a mail to confirm it (double opt-in)."""
        asked = self.checked(ActIn)
        contact_id = asked.get("contact_id") or contacts.queries.by_external_id(asked["external_id"])
        if contact_id is None:
            raise Http404
        if not Contact.objects.filter(pk=contact_id).exists():
            raise Http404
        entry = commands.say(
            contact_id,
            asked["act"],
            asked.get("topic_id"),
            source=asked["source"],
            evidence=asked["evidence"],
            by=request.user,
        )
        return Response(EntryOut(entry).data, status=201)


class State(Endpoint):
    scopes = {"GET": Action.CONSENT_VIEW}

    @extend_schema(parameters=[MomentQuery], responses=StateOut)
    def get(self, request: ApiRequest, contact_id: UUID) -> Response:
        """What one person's ledger adds up to, now or as of a moment."""
        asked = MomentQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        at = asked.validated_data.get("at")
        facts = queries.facts_for([contact_id], None, at)[contact_id]
        states = queries.states_of(contact_id, at)
        return Response(
            {
                "contact_id": contact_id,
                "opted_out_all": facts.opted_out_all,
                "address_confirmed": facts.address_confirmed,
                "special_consent": facts.special_consent,
                "counting_refused": facts.counting_refused,
                "authorization_id": facts.authorization.id if facts.authorization else None,
                "topics": [
                    {
                        "topic_id": state.topic.pk,
                        "receives": state.receives,
                        "opted_in": state.facts.opted_in,
                        "double": state.facts.double,
                        "opted_out": state.facts.opted_out,
                        "opted_out_all": state.facts.opted_out_all,
                        "since": state.since,
                    }
                    for state in states
                ],
            }
        )


class Authorizations(Endpoint):
    scopes = {"POST": Action.CONSENT_RECORD}

    @extend_schema(request=AuthorizationIn, responses={201: AuthorizationOut})
    def post(self, request: ApiRequest, contact_id: UUID) -> Response:
        """Record a signed HIPAA authorization; one that lacks an element of 45 CFR 164.508(c) is refused."""
        signed = commands.authorize(contact_id, **self.checked(AuthorizationIn), source=Source.API, by=request.user)
        return Response(AuthorizationOut(signed).data, status=201)


class AuthorizationEnd(Endpoint):
    scopes = {"POST": Action.CONSENT_RECORD}

    @extend_schema(request=None, responses=AuthorizationOut)
    def post(self, request: ApiRequest, authorization_id: UUID) -> Response:
        """End an authorization at once; ending it twice is ending it once."""
        signed = get_object_or_404(Authorization, pk=authorization_id)
        commands.revoke_authorization(signed, source=Source.API, by=request.user)
        return Response(AuthorizationOut(signed).data)


class Topics(Endpoint):
    scopes = {"GET": Action.CONSENT_VIEW, "POST": Action.TOPICS_MANAGE}

    @extend_schema(responses=TopicOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List live topics."""
        return self.paged(queries.live_topics(), TopicOut)

    @extend_schema(request=TopicIn, responses={201: TopicOut})
    def post(self, request: ApiRequest) -> Response:
        """Define a topic."""
        topic = commands.create_topic(**self.checked(TopicIn), by=request.user)
        return Response(TopicOut(topic).data, status=201)


class Suppressions(Endpoint):
    scopes = {"POST": Action.SUPPRESSION_MANAGE}

    @extend_schema(request=SuppressionIn, responses={201: SuppressionOut})
    def post(self, request: ApiRequest) -> Response:
        """Let nothing reach an address any more. Only its keyed hash is kept."""
        held = commands.suppress(**self.checked(SuppressionIn), by=request.user)
        return Response(SuppressionOut(held).data, status=201)

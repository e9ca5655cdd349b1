"""Why somebody is in a segment or not, for machines that may reveal them."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from contacts.models import Contact
from segments import explaining
from segments.explain import Why
from segments.models import Segment


class ExplainIn(serializers.Serializer[Any]):
    contact = serializers.UUIDField()
    reason = serializers.CharField(min_length=5, max_length=500)


class WhyOut(serializers.Serializer[Any]):
    """One clause or group: whether it holds, what is known, and whether it is among the fewest that would have to turn
    out otherwise for the answer to do so. `items` have the same form."""

    says = serializers.CharField()
    held = serializers.BooleanField()
    there = serializers.CharField()
    decides = serializers.BooleanField()
    items = serializers.ListField(child=serializers.DictField())


def _out(why: Why) -> dict[str, Any]:
    items = [_out(item) for item in why.items]
    return {"says": why.says, "held": why.held, "there": why.there, "decides": why.decides, "items": items}


class ExplainSegment(Endpoint):
    scopes = {"POST": Action.CONTACTS_REVEAL}

    @extend_schema(request=ExplainIn, responses=WhyOut)
    def post(self, request: ApiRequest, segment_id: UUID) -> Response:
        """Which clause lets a person in or keeps them out. It reveals them: the reason is kept."""
        asked = self.checked(ExplainIn)
        segment = get_object_or_404(Segment, pk=segment_id)
        contact = get_object_or_404(Contact, pk=asked["contact"])
        return Response(_out(explaining.why(segment, contact, reason=asked["reason"], by=request.user)))

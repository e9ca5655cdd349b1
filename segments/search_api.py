"""Finding people by name, for machines."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from contacts import reveals
from contacts.api import shown
from contacts.serializers import ContactOut
from segments import search


class NameIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=300, help_text="Parts of the first or last name, in any order.")

    def validate_name(self, name: str) -> str:
        if search.too_short(name):
            raise serializers.ValidationError("Give at least two letters of a name.")
        return name


class FoundOut(serializers.Serializer[Any]):
    found = serializers.IntegerField(help_text="Everybody with such a name.")
    contacts = ContactOut(many=True, help_text=f"Up to {search.SHOWN}: the best matches, best first, masked.")


class SearchContacts(Endpoint):
    scopes = {"POST": Action.CONTACTS_VIEW}

    @extend_schema(request=NameIn, responses=FoundOut)
    def post(self, request: ApiRequest) -> Response:
        """Find contacts by part of a name. A POST, so that no name stands in an address."""
        found = search.by_name(self.checked(NameIn)["name"])
        reveals.searched(found=found.total, by=request.user)
        return Response({"found": found.total, "contacts": shown(search.people_of(found.numbers))})

"""Operations made for the tests of the API's frame, beside the product's own."""

import time
from typing import ClassVar

from django.contrib.auth import get_user_model
from django.urls import path
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from core.errors import DomainError
from core.models import Organization
from marketing.urls import urlpatterns as product

HITS: list[str] = []


class NotToday(DomainError):
    pass


class Probe(serializers.Serializer):
    name = serializers.CharField(max_length=20)
    wait = serializers.FloatField(default=0)
    refuse = serializers.BooleanField(default=False)
    crash = serializers.BooleanField(default=False)


class Things(Endpoint):
    scopes: ClassVar = {"GET": Action.SEGMENTS_VIEW, "POST": Action.SEGMENTS_EDIT}

    def get(self, request: ApiRequest) -> Response:
        return self.paged(get_user_model().objects.all(), lambda rows: [{"name": row.name} for row in rows])

    def post(self, request: ApiRequest) -> Response:
        data = self.checked(Probe)
        HITS.append(data["name"])
        Organization.objects.update_or_create(pk=1, defaults={"name": data["name"]})
        time.sleep(data["wait"])
        if data["refuse"]:
            raise NotToday("Not today. Come back tomorrow.")
        if data["crash"]:
            raise ZeroDivisionError
        return Response({"name": data["name"], "n": len(HITS)}, status=201)

    def delete(self, request: ApiRequest) -> Response:
        """Has no scope, so nobody may."""
        raise AssertionError


urlpatterns = [path("api/v1/things", Things.as_view()), *product]

"""People and attributes for machines; the same commands as the pages."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints import ApiRequest, Endpoint
from accounts.policy import Action
from contacts import attributes, commands, damaged, queries, reveals
from contacts.commands import Person, UpsertResult
from contacts.models import Attribute, Contact
from contacts.records import Record
from contacts.serializers import (
    AttributeIn,
    AttributeOut,
    BulkIn,
    BulkOut,
    ContactOut,
    FindIn,
    PersonIn,
    ReasonIn,
    WrittenOut,
)
from contacts.values import display, masked
from phi.errors import SealBroken

#: Body of a bulk request, in bytes.
MAX_BULK_BYTES = 32 << 20


def _shown(contact: Contact, record: Record, live: dict[str, Attribute]) -> dict[str, Any]:
    values = {
        key: (display if live[key].sensitivity == "public" else masked)(live[key], value)
        for key, value in record.values.items()
        if key in live
    }
    coded = {key: len(entries) for key, entries in record.coded.items() if key in live}
    return _body(contact, values, coded, is_masked=True)


def _clear(contact: Contact, record: Record) -> dict[str, Any]:
    coded = {
        key: [{"code": e.code, "display": e.display, "start": e.start, "stop": e.stop} for e in entries]
        for key, entries in record.coded.items()
    }
    return _body(contact, record.values, coded, is_masked=False)


def _body(
    contact: Contact, values: dict[str, Any], coded: dict[str, Any], *, is_masked: bool, is_damaged: bool = False
) -> dict[str, Any]:
    about = {"created_at": contact.created_at, "updated_at": contact.updated_at, "damaged": is_damaged}
    return dict(ContactOut({"id": contact.pk, **about, "masked": is_masked, "values": values, "coded": coded}).data)


def shown(contacts: list[Contact]) -> list[dict[str, Any]]:
    """These people as the API shows them: masked; who cannot be read is there without values."""
    live = queries.attributes()
    found, broken = [], []
    for contact in contacts:
        try:
            found.append(_shown(contact, queries.open_one(contact), live))
        except SealBroken:
            broken.append(contact.pk)
            found.append(_body(contact, {}, {}, is_masked=True, is_damaged=True))
    if broken:
        damaged.found(broken)
    return found


class Contacts(Endpoint):
    scopes = {"GET": Action.CONTACTS_VIEW, "POST": Action.CONTACTS_EDIT}

    @extend_schema(responses=ContactOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """List contacts, newest first, masked."""
        return self.paged(Contact.objects.all(), shown)

    @extend_schema(request=PersonIn, responses={201: ContactOut})
    def post(self, request: ApiRequest) -> Response:
        """Add a contact; it needs an email or an external_id."""
        contact = commands.create(**self.checked(PersonIn), by=request.user)
        return Response(shown([contact])[0], status=201)


class OneContact(Endpoint):
    scopes = {"GET": Action.CONTACTS_VIEW, "PATCH": Action.CONTACTS_EDIT, "DELETE": Action.CONTACTS_DELETE}

    @extend_schema(responses=ContactOut)
    def get(self, request: ApiRequest, contact_id: UUID) -> Response:
        """One contact, masked."""
        return Response(shown([get_object_or_404(Contact, pk=contact_id)])[0])

    @extend_schema(request=PersonIn, responses=ContactOut)
    def patch(self, request: ApiRequest, contact_id: UUID) -> Response:
        """Change some values: null removes one, what is absent stays; a coded list is replaced."""
        contact = get_object_or_404(Contact, pk=contact_id)
        return Response(shown([commands.update(contact, **self.checked(PersonIn), by=request.user)])[0])

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, contact_id: UUID) -> Response:
        """Delete a contact and destroy its key. Opt-outs and suppression stay."""
        commands.delete(get_object_or_404(Contact, pk=contact_id), by=request.user)
        return Response(status=204)


class RevealContact(Endpoint):
    scopes = {"POST": Action.CONTACTS_REVEAL}

    @extend_schema(request=ReasonIn, responses=ContactOut)
    def post(self, request: ApiRequest, contact_id: UUID) -> Response:
        """One contact in the clear; the reason is recorded."""
        contact = get_object_or_404(Contact, pk=contact_id)
        record = reveals.reveal(contact, reason=self.checked(ReasonIn)["reason"], by=request.user)
        return Response(_clear(contact, record))


class FindContacts(Endpoint):
    scopes = {"POST": Action.CONTACTS_VIEW}

    @extend_schema(request=FindIn, responses=ContactOut(many=True))
    def post(self, request: ApiRequest) -> Response:
        """Everybody with exactly this email or external id, masked. A POST, so that neither stands in an address."""
        wanted = self.checked(FindIn)
        if "email" in wanted:
            ids = queries.by_email(wanted["email"])[:100]
        else:
            found = queries.by_external_id(wanted["external_id"])
            ids = [found] if found else []
        reveals.searched(found=len(ids), by=request.user)
        return Response(shown(list(Contact.objects.filter(pk__in=ids).order_by("pk"))))


class UpsertContact(Endpoint):
    scopes = {"POST": Action.CONTACTS_EDIT}

    @extend_schema(request=PersonIn, responses={200: WrittenOut, 201: WrittenOut})
    def post(self, request: ApiRequest) -> Response:
        """Add the person with the external_id among the values, or change what is given of them."""
        body = self.checked(PersonIn)
        if body["values"].get("external_id") in (None, ""):
            raise ValidationError({"values": ["Give the external_id: it says who is meant."]})
        result = commands.upsert_many([Person(**body)], by=request.user)
        if result.refused:
            raise ValidationError({"values": list(result.refused.values())})
        outcome = "created" if result.created else "changed" if result.changed else "unchanged"
        answer = WrittenOut({"id": result.ids[0], "result": outcome}).data
        return Response(answer, status=201 if outcome == "created" else 200)


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"A request may be at most {MAX_BULK_BYTES >> 20} MB. Send fewer people at a time."


class BulkContacts(Endpoint):
    scopes = {"POST": Action.CONTACTS_EDIT}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Ten thousand people are more than a form may hold: read them here, up to a limit of our own, but only once
        it is known who asks, that they may, and not too often."""
        super().initial(request, *args, **kwargs)
        plain = request._request
        if int(plain.META.get("CONTENT_LENGTH") or 0) > MAX_BULK_BYTES:
            raise TooLarge
        plain._body = plain.read()

    @extend_schema(request=BulkIn, responses=BulkOut)
    def post(self, request: ApiRequest) -> Response:
        """Add or change up to 10,000 people. Whoever cannot be taken is refused alone, with the reason."""
        body = self.checked(BulkIn)
        people: list[Person] = []
        places: list[int] = []
        refused: dict[int, str] = {}
        for position, raw in enumerate(body["people"]):
            person = PersonIn(data=raw)
            if person.is_valid():
                people.append(Person(**person.validated_data))
                places.append(position)
            else:
                refused[position] = _first_error(person.errors)
        result = commands.upsert_many(people, by=request.user, fold=body["fold"])
        return Response(_bulk(result, places, refused, len(body["people"])))


def _first_error(errors: Any) -> str:
    while isinstance(errors, dict | list) and errors:
        if isinstance(errors, dict):
            key, inner = next(iter(errors.items()))
            return f"{key}: {_first_error(inner)}" if key != "non_field_errors" else _first_error(inner)
        errors = next((item for item in errors if item), "")
    return str(errors)


def _bulk(result: UpsertResult, places: list[int], refused: dict[int, str], total: int) -> dict[str, Any]:
    ids: list[UUID | None] = [None] * total
    for position, contact_id in result.ids.items():
        ids[places[position]] = contact_id
    refused |= {places[position]: reason for position, reason in result.refused.items()}
    return dict(
        BulkOut(
            {
                "created": len(result.created),
                "changed": len(result.changed),
                "unchanged": len(result.unchanged),
                "ids": ids,
                "refused": [{"position": place, "message": why} for place, why in sorted(refused.items())],
            }
        ).data
    )


class Attributes(Endpoint):
    scopes = {"GET": Action.CONTACTS_VIEW, "POST": Action.ATTRIBUTES_MANAGE}

    @extend_schema(responses=AttributeOut(many=True))
    def get(self, request: ApiRequest) -> Response:
        """All attributes in use, in their order."""
        return Response(AttributeOut(list(queries.attributes().values()), many=True).data)

    @extend_schema(request=AttributeIn, responses={201: AttributeOut})
    def post(self, request: ApiRequest) -> Response:
        """Define an attribute; its key is made from its label."""
        attribute = attributes.define(**self.checked(AttributeIn), by=request.user)
        return Response(AttributeOut(attribute).data, status=201)

"""Topics: define, edit, remove."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from consent import commands, queries
from consent.counts import people_in
from consent.forms import TopicForm
from consent.models import Topic
from core.errors import DomainError


@may(Action.TOPICS_MANAGE)
def topics(request: StaffRequest) -> HttpResponse:
    found = queries.topics()
    people = people_in([topic.pk for topic in found])
    rows = [(topic, people.get(topic.pk, (0, 0))) for topic in found]
    return render(request, "consent/topics.html", {"rows": rows})


@may(Action.TOPICS_MANAGE)
def new_topic(request: StaffRequest) -> HttpResponse:
    form = TopicForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            commands.create_topic(**form.details(), by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The topic is there. People can opt in to it from now on.")
            return redirect("consent:topics")
    return render(request, "consent/topic.html", {"form": form})


@may(Action.TOPICS_MANAGE)
def topic(request: StaffRequest, topic_id: UUID) -> HttpResponse:
    found = get_object_or_404(Topic, pk=topic_id, removed_at=None)
    initial = {
        "name": found.name,
        "public_name": found.public_name,
        "description": found.description,
        "requires_opt_in": found.requires_opt_in,
    }
    form = TopicForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            commands.edit_topic(found, **form.details(), by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Saved. What people said about this topic still holds.")
            return redirect("consent:topics")
    return render(request, "consent/topic.html", {"form": form, "topic": found})


@may(Action.TOPICS_MANAGE)
def remove_topic(request: StaffRequest, topic_id: UUID) -> HttpResponse:
    """What removing means, then the act."""
    found = get_object_or_404(Topic, pk=topic_id, removed_at=None)
    if request.method == "POST":
        try:
            commands.remove_topic(found, by=request.user)
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "The topic is removed. What people said about it stays in the ledger.")
        return redirect("consent:topics")
    people = people_in([found.pk]).get(found.pk, (0, 0))
    return render(request, "consent/remove_topic.html", {"topic": found, "opted_in": people[0]})

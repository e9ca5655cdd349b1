"""What a simulation is asked for: whom, from when, how long, and what to assume."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from core import clock
from segments import queries as segments
from workflows.language import words
from workflows.language.definition import ByDate, ByHand, BySegment, Definition, Mail, WaitEvent, WaitUntil, Webhook
from workflows.language.names import Names
from workflows.simulate.assumptions import MAX_DAYS, Assumptions, Expected, Settings
from workflows.simulate.history import awaited

_OWN, _ALL = "trigger", "all"
_ASSUME, _REPLAY = "assume", "replay"


def _percent(label: str, initial: float, help_text: str = "") -> forms.FloatField:
    return forms.FloatField(
        label=label,
        min_value=0,
        max_value=100,
        initial=f"{initial:g}",
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


class SimulationForm(forms.Form):
    """Fields depend on what the journey waits for. The start is typed in the reader's own zone."""

    entering = forms.ChoiceField(
        label="Who enters",
        choices=[
            (_OWN, "Whoever the journey lets in, when it does"),
            (_ALL, "Everybody of a segment, at the start"),
        ],
        widget=forms.RadioSelect,
        initial=_OWN,
    )
    segment = forms.ChoiceField(label="Only people of this segment", required=False)
    inside = forms.ChoiceField(label="Who is on it now", widget=forms.RadioSelect)
    start = forms.DateTimeField(
        label="Start",
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    days = forms.IntegerField(
        label="Days", min_value=1, max_value=MAX_DAYS, initial=30, help_text=f"At most {MAX_DAYS}."
    )
    how = forms.ChoiceField(
        label="How they do it",
        choices=[
            (_ASSUME, "As assumed below"),
            (_REPLAY, "As they did: what happened in the same weekdays before happens again"),
        ],
        widget=forms.RadioSelect,
        initial=_ASSUME,
    )
    afresh = forms.BooleanField(
        label="As if nobody had been on this journey",
        required=False,
        help_text="Else whoever was on it before enters again only as its rule permits.",
    )

    def __init__(
        self,
        *args: Any,
        definition: Definition,
        zone: str,
        names: Names,
        version: UUID | None = None,
        inside: int = 0,
        runs: bool = False,
        **kwargs: Any,
    ) -> None:
        self.zone, self.definition, self.version = ZoneInfo(zone), definition, version
        super().__init__(*args, **kwargs)
        tomorrow = (clock.now().astimezone(self.zone) + timedelta(days=1)).replace(hour=9, minute=0, second=0)
        with_them = runs and inside > 0
        start = None if with_them else tomorrow.replace(tzinfo=None)
        self.initial = {"start": start, "inside": "finish" if with_them else ""}
        self.fields["start"].help_text = f"Your time, {zone.replace('_', ' ')}. Left empty: now."
        self._with_inside(inside)
        named = [(str(s.pk), s.name) for s in segments.segments()]
        self.fields["segment"].choices = [("", "Everybody"), *named]  # type: ignore[attr-defined]
        if isinstance(definition.trigger, ByHand):
            del self.fields["entering"]
            self.fields["segment"].label = "Who enters"
            self.fields["segment"].required = not inside
            nobody = "Nobody else" if inside else "Choose a segment"
            self.fields["segment"].choices = [("", nobody), *named]  # type: ignore[attr-defined]
        self._assumed(names)

    def _with_inside(self, inside: int) -> None:
        """What becomes of so many people who are on the journey."""
        if not inside:
            del self.fields["inside"]
            return
        them = "1 person is" if inside == 1 else f"{inside:,} people are"
        goes = [("finish", "They go on from where they are, each on their version")]
        goes += [] if self.version else [("move", "They move to this draft, each to the same step where it is there")]
        self.fields["inside"].choices = [*goes, ("", "Leave them out: only who enters")]  # type: ignore[attr-defined]
        self.fields["inside"].required = False
        self.fields["inside"].help_text = f"{them} on this journey. With them the simulation starts now."

    def _assumed(self, names: Names) -> None:
        """One field for each thing nobody can know beforehand."""
        steps, usual = self.definition.steps.values(), Assumptions()
        mails = [step for step in steps if isinstance(step, Mail)]
        if any(mail.track_opens for mail in mails):
            self.fields["opens"] = _percent("Mails opened, of 100", usual.opens)
        if any(mail.track_clicks for mail in mails):
            self.fields["clicks"] = _percent("Mails clicked in, of 100", usual.clicks)
        if any(mail.topic for mail in mails):
            self.fields["unsubscribes"] = _percent("Mails that make somebody unsubscribe, of 100", usual.unsubscribes)
        if any(isinstance(step, Webhook) for step in steps):
            self.fields["calls_failed"] = _percent("Calls to other systems that fail, of 100", usual.calls_failed)
        if not isinstance(self.definition.trigger, ByDate | BySegment | ByHand):
            label = "People it happens to a day, of 100"
            about = words.trigger_title(self.definition.trigger)
            self.fields["share"] = _percent(label, usual.entering, f"What lets people in: {about.lower()}.")
        if any(isinstance(step, WaitUntil) and step.moment.property for step in steps):
            self.fields["ahead"] = forms.FloatField(
                label="Days from the event to the date it carries", min_value=0, max_value=MAX_DAYS, initial="14"
            )
        waited = {step.event or f"attribute:{step.attribute}" for step in steps if isinstance(step, WaitEvent)}
        self.expected: list[tuple[str, str, str]] = []
        for n, what in enumerate(awaited(self.definition)):
            key = what.removeprefix("attribute:")
            title = words.attribute(key, names) if what != key else words.event(what, names)
            percent, days = f"event{n}", f"event{n}_days"
            # What steps wait for is common; what takes people out (a cancellation) is not.
            self.fields[percent] = _percent(f"“{title}” happens to, of 100 people", 50 if what in waited else 5)
            self.fields[days] = forms.FloatField(
                label="within so many days of entering",
                min_value=0,
                max_value=MAX_DAYS,
                initial="7",
                widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
            )
            self.expected.append((what, percent, days))

    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Each awaited event: how many, and how soon."""
        return [(self[percent], self[days]) for _, percent, days in self.expected]

    def rates(self) -> Iterator[forms.BoundField]:
        """The other assumptions this journey has a use for."""
        for name in ("share", "ahead", "opens", "clicks", "unsubscribes", "calls_failed"):
            if name in self.fields:
                yield self[name]

    def full_clean(self) -> None:
        with timezone.override(self.zone):
            super().full_clean()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        everybody = "entering" not in self.fields or cleaned.get("entering") == _ALL
        chosen = cleaned.get("segment") or "segment" in self.errors
        if everybody and not chosen and not cleaned.get("inside"):
            self.add_error("segment", "Choose the segment whose people are to enter.")
        if cleaned.get("inside") and cleaned.get("afresh"):
            self.add_error("afresh", "People are on it now: leave them out above, or leave this empty.")
        if "start" not in self.errors and (cleaned.get("inside") or not cleaned.get("start")):
            cleaned["start"] = clock.now()
        return cleaned

    def settings(self) -> Settings:
        """What is asked for, once the form is valid."""
        given = self.cleaned_data
        usual = Assumptions()

        def number(name: str, otherwise: float) -> float:
            value = given.get(name)
            return otherwise if value is None else float(value)

        assumed = Assumptions(
            opens=number("opens", usual.opens),
            clicks=number("clicks", usual.clicks),
            unsubscribes=number("unsubscribes", 0),
            calls_failed=number("calls_failed", 0),
            entering=number("share", usual.entering),
            ahead_days=number("ahead", usual.ahead_days),
            events={what: Expected(number(percent, 0), number(days, 7)) for what, percent, days in self.expected},
            replay=given["how"] == _REPLAY,
            afresh=given["afresh"],
        )
        return Settings(
            start=given["start"],
            days=given["days"],
            segment=UUID(given["segment"]) if given["segment"] else None,
            entering="trigger" if given.get("entering") == _OWN else "all",
            version=self.version,
            inside=given.get("inside") or "",
            assumptions=assumed,
        )

"""Steps with several ways: by rule, by what became of a mail, by chance."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms

from workflows.errors import Problem
from workflows.forms.steps import Layout, StepForm, change, pick, whole
from workflows.forms.values import line
from workflows.language.checks import MAX_CASES
from workflows.language.definition import Branch, BranchMail, Case, Share, Split
from workflows.language.parsing import MAX_NAME

HAPPENED = [
    ("clicked", "Clicked (a person, not a scanner)"),
    ("opened", "Opened (a person, as far as can be told)"),
    ("sent", "Sent"),
    ("refused", "Not sent: refused by the gate"),
    ("failed", "Failed on the way"),
]


@dataclass(frozen=True, slots=True)
class Row:
    """One way in a list that can be put in order: its number from 1 on, and its fields."""

    number: int
    fields: list[forms.BoundField]
    first: bool
    last: bool
    rule: Any = None
    problems: list[Problem] = field(default_factory=list)


class Rows(StepForm):
    """A step whose ways stand in a list: `do` adds, removes and moves them ("up:2"), and their ways out go along."""

    #: The field of the step that holds the list.
    held: ClassVar[str]
    template: ClassVar[str]

    def count(self) -> int:
        return len(getattr(self.step, self.held))

    def fields_of(self, number: int) -> list[str]:
        raise NotImplementedError

    def listed(self) -> list[Row]:
        n = self.count()
        return [self.row(i, i == 1, i == n) for i in range(1, n + 1)]

    def row(self, number: int, first: bool, last: bool) -> Row:
        return Row(number, [self[name] for name in self.fields_of(number)], first, last)


def rearranged(step: Any, held: str, do: str, new: Any) -> Any:
    """The step after "add", "remove:n", "up:n" or "down:n"; what makes no sense does nothing."""
    verb, _, place = do.partition(":")
    items = list(getattr(step, held))
    order = list(range(1, len(items) + 1))
    n = int(place) if place.isdecimal() and len(place) < 4 else 0
    if verb == "add" and len(items) < MAX_CASES:
        items.append(new)
        order.append(0)
    elif not 1 <= n <= len(items):
        return step
    elif verb == "remove" and len(items) > 1:
        del items[n - 1], order[n - 1]
    elif verb in ("up", "down"):
        to = n - 2 if verb == "up" else n
        if not 0 <= to < len(items):
            return step
        items[n - 1], items[to] = items[to], items[n - 1]
        order[n - 1], order[to] = order[to], order[n - 1]
    else:
        return step
    exits = {way: to for way, to in step.exits.items() if not way.isdecimal()}
    exits |= {str(now): step.exits[str(was)] for now, was in enumerate(order, 1) if str(was) in step.exits}
    return change(step, **{held: tuple(items), "exits": exits})


class BranchForm(Rows):
    about = "Each person takes the first way whose rule holds for them, and the last one where none does."
    layout: ClassVar[Layout] = ("name",)
    held = "cases"
    template = "cases"

    def given(self, step: Branch) -> dict[str, Any]:
        return {f"case-{n}": case.name for n, case in enumerate(step.cases, 1)}

    def build(self) -> None:
        for n in range(1, self.count() + 1):
            self.fields[f"case-{n}"] = forms.CharField(required=False, max_length=MAX_NAME, label=f"Name of way {n}")

    def fields_of(self, number: int) -> list[str]:
        return [f"case-{number}"]

    def row(self, number: int, first: bool, last: bool) -> Row:
        held = [p for p in self.problems.get("cases", []) if p.field.startswith(f"cases[{number - 1}]")]
        return Row(number, [self[f"case-{number}"]], first, last, self.step.cases[number - 1].rule, held)

    def elsewhere(self) -> list[Problem]:
        return [found for found in super().elsewhere() if not found.field.startswith("cases[")]

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        cases = enumerate(self.step.cases, 1)
        return {"cases": tuple(change(case, name=" ".join(typed[f"case-{n}"].split())) for n, case in cases)}

    def after(self, step: Any, do: str) -> Any:
        return rearranged(step, "cases", do, Case(rule=None))


class SplitForm(Rows):
    about = "By chance, and for one person always the same way."
    layout: ClassVar[Layout] = ("seed", "name")
    held = "shares"
    template = "shares"

    def given(self, step: Split) -> dict[str, Any]:
        shares = list(enumerate(step.shares, 1))
        percents = {f"percent-{n}": line(share.percent) for n, share in shares}
        return {f"name-{n}": share.name for n, share in shares} | percents | {"seed": step.seed}

    def build(self) -> None:
        for n in range(1, self.count() + 1):
            widget = forms.TextInput(attrs={"inputmode": "decimal", "class": "short"})
            self.fields[f"name-{n}"] = forms.CharField(required=False, max_length=MAX_NAME, label=f"Way {n}")
            self.fields[f"percent-{n}"] = forms.FloatField(
                label="Percent",
                min_value=0,
                max_value=100,
                widget=widget,
                error_messages={"required": "Enter a share.", "invalid": "Enter a number from 0 to 100."},
            )

        self.fields["seed"] = whole("Lot", low=-(2**31), high=2**31, required=False)
        self.fields["seed"].help_text = "Another number draws for everybody anew; the same one, the same ways."

    def fields_of(self, number: int) -> list[str]:
        return [f"name-{number}", f"percent-{number}"]

    @property
    def total(self) -> float:
        """The sum of the shares as they stand; what is no number counts nothing."""
        found = 0.0
        for n in range(1, self.count() + 1):
            try:
                found += float(self.now(f"percent-{n}") or 0)
            except ValueError:
                continue
        return round(found, 4)

    @property
    def total_words(self) -> str:
        return f"{self.total:g}"

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        rows = range(1, self.count() + 1)
        shares = tuple(Share(typed[f"percent-{n}"], " ".join(typed[f"name-{n}"].split())) for n in rows)
        return {"seed": typed["seed"] or 0, "shares": shares}

    def after(self, step: Any, do: str) -> Any:
        if do == "even":
            return change(step, shares=even(step.shares))
        return rearranged(step, "shares", do, Share(0.0))


def even(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """Equal shares in hundredths that come to 100; the first takes what is left over."""
    each = 10_000 // len(shares)
    first = 10_000 - each * (len(shares) - 1)
    return tuple(change(share, percent=(first if n == 0 else each) / 100) for n, share in enumerate(shares))


class BranchMailForm(StepForm):
    about = "By what became of an earlier mail of this journey. Each person takes the first way that holds."
    layout: ClassVar[Layout] = ("mail", "cases", "name")

    def given(self, step: BranchMail) -> dict[str, Any]:
        return {"mail": step.mail, "cases": list(step.cases)}

    def build(self) -> None:
        mails = self.offers.mail_steps()
        found = [("", "Choose a mail…"), *mails]
        chosen = str(self.now("mail") or "")
        if chosen and chosen not in dict(found):
            found.append((chosen, "A step that is no longer there"))
        self.fields["mail"] = pick("Which mail", found, help="" if mails else "Put a mail into the journey first.")
        self.fields["cases"] = forms.MultipleChoiceField(
            label="Ways for those whose mail was",
            # As they are asked now; an order of their own has only what came from elsewhere.
            choices=sorted(HAPPENED, key=lambda one: self._place(one[0])),
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": "Choose at least one."},
            help_text="Asked in this order; all others take the last way.",
        )

    def _place(self, case: str) -> int:
        asked = self.step.cases
        return asked.index(case) if case in asked else len(asked)

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        order = list(dict(HAPPENED))
        return {"mail": typed["mail"], "cases": tuple(sorted(typed["cases"], key=order.index))}

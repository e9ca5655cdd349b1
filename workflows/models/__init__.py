"""Journeys: drafts, immutable versions, who is where, and everything they were told."""

from workflows.models.happenings import ContactChange, Cursor, EventType, Happening
from workflows.models.journeys import VersionMail, Workflow, WorkflowVersion
from workflows.models.moves import Move, Moved
from workflows.models.outward import Call, Endpoint, Notice
from workflows.models.people import Enrolment, Tally, Transition
from workflows.models.simulations import SimulatedPaths, Simulation

__all__ = [
    "Call",
    "ContactChange",
    "Cursor",
    "Endpoint",
    "Enrolment",
    "EventType",
    "Happening",
    "Move",
    "Moved",
    "Notice",
    "SimulatedPaths",
    "Simulation",
    "Tally",
    "Transition",
    "VersionMail",
    "Workflow",
    "WorkflowVersion",
]

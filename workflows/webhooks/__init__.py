"""Telling other systems what happened on a journey: where to, safely; what, signed; and again until it is told."""

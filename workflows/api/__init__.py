"""Journeys for machines."""

"""Template tags every page may use. Registered as builtins."""

from django import template

register = template.Library()

"""Lookups every room may use."""

from typing import Any

from django.db.models import Field, Lookup


@Field.register_lookup
class Among(Lookup):
    """`field__among=values`: as `in`, but all values travel as one array. For thousands of ids or hashes.

    Of `in` each value is a parameter and a literal, which Django, the driver and the planner look at one by one;
    that is 2 to 2.5 µs a value.
    """

    lookup_name = "among"
    get_db_prep_lookup_value_is_iterable = True

    def get_prep_lookup(self) -> list[Any]:
        return [value for value in self.rhs if value is not None]  # as `in`: what is not known is among nothing

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [value]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, before = self.process_lhs(compiler, connection)
        rhs, values = self.process_rhs(compiler, connection)
        return f"{lhs} = ANY({rhs})", (*before, *values)

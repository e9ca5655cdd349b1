"""Tables in which the past stands: a migration helper that makes PostgreSQL refuse changes to them."""

from django.db.migrations import RunSQL

FUNCTION = """
CREATE OR REPLACE FUNCTION carillon_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: rows there are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def append_only(table: str, *, deletes: bool = False) -> RunSQL:
    """Refuse UPDATE and TRUNCATE, and DELETE unless `deletes`, on `table`."""
    events = "UPDATE" if deletes else "UPDATE OR DELETE"
    return RunSQL(
        f"{FUNCTION};"
        f"CREATE TRIGGER {table}_append_only BEFORE {events} ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION carillon_refuse_change();"
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION carillon_refuse_change();",
        f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )

from django.db import migrations

from core.append_only import append_only

NOTE = """
CREATE FUNCTION audit_note_pending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_pending (entry_id, since) SELECT id, clock_timestamp() FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entry_pending AFTER INSERT ON audit_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_note_pending();
INSERT INTO audit_pending (entry_id, since) SELECT id, at FROM audit_entry;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_sealing")]
    operations = [
        append_only("audit_node"),
        migrations.RunSQL(NOTE, "DROP TRIGGER audit_entry_pending ON audit_entry; DROP FUNCTION audit_note_pending();"),
    ]

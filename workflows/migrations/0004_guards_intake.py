"""While a journey runs, whatever changes people leaves a note of how they were, for journeys to see."""

from django.db import migrations, models

NOTES = """
CREATE FUNCTION workflows_note_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM workflows_workflow WHERE state IN ('ACTIVE', 'PAUSED')) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO workflows_contactchange (contact_id, before, gone, at)
        SELECT was.id, was.sealed, false, now_is.updated_at FROM was JOIN now_is USING (id)
        WHERE was.sealed IS DISTINCT FROM now_is.sealed;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO workflows_contactchange (contact_id, gone, at) SELECT id, false, updated_at FROM now_is;
    ELSE
        INSERT INTO workflows_contactchange (contact_id, gone, at) SELECT id, true, now() FROM was;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER workflows_note_added AFTER INSERT ON contacts_contact
    REFERENCING NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION workflows_note_contacts();
CREATE TRIGGER workflows_note_changed AFTER UPDATE ON contacts_contact
    REFERENCING OLD TABLE AS was NEW TABLE AS now_is FOR EACH STATEMENT EXECUTE FUNCTION workflows_note_contacts();
CREATE TRIGGER workflows_note_gone AFTER DELETE ON contacts_contact
    REFERENCING OLD TABLE AS was FOR EACH STATEMENT EXECUTE FUNCTION workflows_note_contacts();
"""
NO_NOTES = """
DROP TRIGGER workflows_note_added ON contacts_contact;
DROP TRIGGER workflows_note_changed ON contacts_contact;
DROP TRIGGER workflows_note_gone ON contacts_contact;
DROP FUNCTION workflows_note_contacts();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0003_versions"), ("contacts", "0005_numbers")]
    operations = [
        migrations.CreateModel(
            name="ContactChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("contact_id", models.UUIDField(db_index=True)),
                ("before", models.BinaryField(null=True)),
                ("gone", models.BooleanField(default=False)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(NOTES, NO_NOTES),
    ]

"""What was published stands; what happened stands."""

from django.db import migrations

from core.append_only import append_only

VERSION = """
CREATE FUNCTION workflows_version_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.definition, OLD.digest, OLD.tier, OLD.workflow_id, OLD.number)
        IS DISTINCT FROM (NEW.definition, NEW.digest, NEW.tier, NEW.workflow_id, NEW.number) THEN
        RAISE EXCEPTION 'a version of a journey never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER workflows_version_stands BEFORE UPDATE ON workflows_workflowversion
    FOR EACH ROW EXECUTE FUNCTION workflows_version_stands();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [
        migrations.RunSQL(
            VERSION,
            "DROP TRIGGER workflows_version_stands ON workflows_workflowversion;"
            "DROP FUNCTION workflows_version_stands();",
        ),
        append_only("workflows_transition", deletes=True),
        append_only("workflows_happening", deletes=True),
    ]

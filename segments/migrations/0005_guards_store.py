from django.db import migrations

# What changed since a partition was written, in the transaction of the change; a re-wrapped key changes nothing.
CHANGES = """
CREATE FUNCTION segments_contact_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO segments_contactchange (number) SELECT number FROM added;
  RETURN NULL;
END $$;
CREATE FUNCTION segments_contact_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO segments_contactchange (number)
  SELECT a.number FROM after_it a JOIN before_it b USING (id) WHERE a.sealed IS DISTINCT FROM b.sealed;
  RETURN NULL;
END $$;
CREATE FUNCTION segments_contact_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO segments_contactchange (number) SELECT number FROM gone;
  RETURN NULL;
END $$;
CREATE TRIGGER segments_added AFTER INSERT ON contacts_contact
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION segments_contact_added();
CREATE TRIGGER segments_changed AFTER UPDATE ON contacts_contact
  REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT
  EXECUTE FUNCTION segments_contact_changed();
CREATE TRIGGER segments_deleted AFTER DELETE ON contacts_contact
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION segments_contact_deleted();
INSERT INTO segments_contactchange (number) SELECT number FROM contacts_contact;
"""
UNDO = """
DROP TRIGGER segments_added ON contacts_contact;
DROP TRIGGER segments_changed ON contacts_contact;
DROP TRIGGER segments_deleted ON contacts_contact;
DROP FUNCTION segments_contact_added();
DROP FUNCTION segments_contact_changed();
DROP FUNCTION segments_contact_deleted();
"""
# Ciphertext does not compress, and a column is read as a slice of its file: out of line, as it is.
AS_IT_IS = """
ALTER TABLE segments_partitionfile ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE segments_factfile ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE segments_membership ALTER COLUMN members SET STORAGE EXTERNAL;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0004_store"),
        ("contacts", "0003_import_progress"),
    ]
    operations = [
        migrations.RunSQL(CHANGES, UNDO),
        migrations.RunSQL(AS_IT_IS, migrations.RunSQL.noop),
    ]

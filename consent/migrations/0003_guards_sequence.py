from django.db import migrations


class Migration(migrations.Migration):
    """Must stand before the column that draws from it: PostgreSQL resolves the name when the default is made."""

    dependencies = [("consent", "0002_guards")]
    operations = [
        migrations.RunSQL("CREATE SEQUENCE consent_ledger_number", "DROP SEQUENCE consent_ledger_number"),
    ]

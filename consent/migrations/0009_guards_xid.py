from django.db import migrations, models

from core.transactions import add_xid


class Migration(migrations.Migration):
    dependencies = [("consent", "0008_opted_out_themselves")]
    operations = [
        add_xid("consent_ledgerentry", "ledgerentry"),
        migrations.AddIndex("ledgerentry", models.Index(fields=["xid"], name="ledger_xid")),
    ]

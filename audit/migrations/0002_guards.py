from django.db import migrations

from core.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        append_only("audit_entry"),
        append_only("audit_leaf"),
        append_only("audit_checkpoint"),
    ]

from django.db import migrations, models

from core.transactions import add_xid


class Migration(migrations.Migration):
    dependencies = [("tracking", "0003_guards_retention")]
    operations = [
        add_xid("tracking_event", "event"),
        migrations.AddIndex("event", models.Index(fields=["xid"], name="event_xid")),
    ]

from django.db import migrations

from core.append_only import append_only


class Migration(migrations.Migration):
    """Events are never edited, but they are forgotten when their time is over (TRK-05)."""

    dependencies = [("tracking", "0002_guards")]
    operations = [
        migrations.RunSQL(
            "DROP TRIGGER tracking_event_append_only ON tracking_event;"
            "DROP TRIGGER tracking_event_no_truncate ON tracking_event;",
            migrations.RunSQL.noop,
        ),
        append_only("tracking_event", deletes=True),
    ]

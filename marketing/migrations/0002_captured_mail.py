import core.ids
import phi.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketing", "0001_broker_guards")]

    operations = [
        migrations.CreateModel(
            name="CapturedMail",
            fields=[
                (
                    "id",
                    models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("arrived_at", models.DateTimeField(db_index=True)),
                ("summary", phi.fields.EncryptedJSONField()),
                ("message", phi.fields.EncryptedTextField()),
                ("size", models.PositiveIntegerField()),
                ("tls", models.CharField(max_length=40)),
            ],
        ),
    ]

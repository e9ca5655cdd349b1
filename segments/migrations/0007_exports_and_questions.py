"""Who an export is for, and remembered answers as sealed bitmaps; those kept otherwise are forgotten."""

from django.db import migrations, models

import phi.fields


class Migration(migrations.Migration):
    dependencies = [("segments", "0006_membership_steps")]

    operations = [
        migrations.AddField(
            "export",
            "recipient",
            models.CharField(
                choices=[("own", "Our own workforce"), ("associate", "A business associate")],
                default="own",
                max_length=10,
            ),
        ),
        migrations.AddField("export", "party", phi.fields.EncryptedTextField(blank=True, default="")),
        migrations.AddField("export", "agreed_on", models.DateField(null=True)),
        migrations.AddField("export", "agreed_until", models.DateField(null=True)),
        migrations.AddField("export", "approved_digest", models.BinaryField(max_length=32, null=True)),
        migrations.RunSQL("DELETE FROM segments_question", migrations.RunSQL.noop),
        migrations.AddField("question", "wording", models.BinaryField(default=bytes, max_length=32)),
        migrations.AddField("question", "near", models.BooleanField(default=False)),
        migrations.AddField("question", "kek_id", models.CharField(blank=True, max_length=40)),
        migrations.AddField("question", "data_key", models.BinaryField(null=True)),
        migrations.AddField("question", "members", models.BinaryField(null=True)),
    ]

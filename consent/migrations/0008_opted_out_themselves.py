from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("consent", "0007_bounces")]

    operations = [
        migrations.AddField("suppression", "opted_out", models.BooleanField(default=False)),
        migrations.RunSQL(
            "UPDATE consent_suppression SET opted_out = true WHERE reason = 'unsubscribed' AND released_at IS NULL",
            migrations.RunSQL.noop,
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0008_facts_unfinished"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="told",
            field=models.BooleanField(default=False),
        ),
    ]

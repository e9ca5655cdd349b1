from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0005_guards_store"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="steps",
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]

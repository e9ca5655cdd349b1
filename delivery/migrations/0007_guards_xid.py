from django.db import migrations, models

from core.transactions import add_xid


class Migration(migrations.Migration):
    dependencies = [("delivery", "0006_bounced")]
    operations = [
        add_xid("delivery_delivery", "delivery"),
        migrations.AddIndex("delivery", models.Index(fields=["xid"], name="delivery_by_xid", condition=models.Q(outcome="sent"))),
    ]

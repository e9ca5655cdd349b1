from django.db import migrations

# Campaigns that have not ended rely on their segments; those made from now on say so themselves.
CLAIM = """
INSERT INTO segments_use (id, segment_id, kind, used_by, since)
SELECT gen_random_uuid(), segment_id, 'campaign', id, now() FROM campaigns_campaign
WHERE segment_id IS NOT NULL AND state NOT IN ('FINISHED', 'CANCELLED')
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0004_hands"),
        ("segments", "0006_membership_steps"),
    ]
    operations = [
        migrations.RunSQL(CLAIM, migrations.RunSQL.noop),
    ]

from django.db import migrations, models

from core.append_only import append_only

COLUMNS = "origin_id, outcome, at, reason, smtp_code, smtp_status, count"
COUNTED = """
  SELECT origin_id, outcome, at, coalesce(reasons[1], ''), smtp_code, smtp_status, count(*)
  FROM {} GROUP BY 1, 2, 3, 4, 5, 6
"""
TRIGGER = f"""
CREATE FUNCTION delivery_count_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO delivery_tally ({COLUMNS}) {COUNTED.format("added")};
  RETURN NULL;
END $$;
CREATE TRIGGER delivery_counted AFTER INSERT ON delivery_delivery
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION delivery_count_added();
"""
UNDO = "DROP TRIGGER delivery_counted ON delivery_delivery; DROP FUNCTION delivery_count_added();"
SO_FAR = f"INSERT INTO delivery_tally ({COLUMNS}) {COUNTED.format('delivery_delivery')}"


class Migration(migrations.Migration):
    """Counts of deliveries as they are appended. Deliveries are never changed or deleted, so nor is what counts them."""

    dependencies = [("delivery", "0007_guards_xid")]
    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("origin_id", models.UUIDField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("sent", "Sent"),
                            ("refused", "Refused by the gate"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("unknown", "Unknown (connection broke after the message was handed over)"),
                        ],
                        max_length=10,
                    ),
                ),
                ("at", models.DateTimeField()),
                ("reason", models.CharField(blank=True, max_length=40)),
                ("smtp_code", models.PositiveSmallIntegerField(null=True)),
                ("smtp_status", models.CharField(blank=True, max_length=12)),
                ("count", models.PositiveIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["origin_id", "outcome"], name="tally_by_origin"),
                    models.Index(fields=["at"], name="tally_by_time"),
                ],
            },
        ),
        # One statement for both: rows appended meanwhile wait for the lock that CREATE TRIGGER takes.
        migrations.RunSQL(TRIGGER + SO_FAR, UNDO),
        append_only("delivery_tally"),
        migrations.AddIndex(
            "delivery",
            models.Index(fields=["-at"], name="delivery_unknown", condition=models.Q(outcome="unknown")),
        ),
        # Each has an index of its own already that begins with it.
        migrations.AlterField(
            "delivery",
            "origin",
            models.ForeignKey(
                db_index=False, on_delete=models.deletion.PROTECT, related_name="deliveries", to="delivery.origin"
            ),
        ),
        migrations.AlterField(
            "delivery",
            "batch",
            models.ForeignKey(
                db_index=False, on_delete=models.deletion.PROTECT, related_name="deliveries", to="delivery.sendbatch"
            ),
        ),
    ]

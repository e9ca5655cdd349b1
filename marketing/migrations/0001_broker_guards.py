"""Install the broker's tables: PGMQ's plain SQL, as the `pgmq` package bundles it. Needs no extension, no superuser."""

from django.db import migrations
from pgmq.install import get_embedded_install_sql


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pgmq.meta')")
        if cursor.fetchone()[0] is None:
            cursor.execute(get_embedded_install_sql())


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ContactsConfig(AppConfig):
    name = "contacts"

    def ready(self) -> None:
        from contacts import builtin  # noqa: PLC0415  models exist only now

        post_migrate.connect(builtin.ensure, sender=self, dispatch_uid="contacts.builtin")

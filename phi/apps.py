from django.apps import AppConfig
from django.db.backends.signals import connection_created


class PhiConfig(AppConfig):
    name = "phi"

    def ready(self) -> None:
        from phi import guard  # noqa: PLC0415  (settings and models must be there first)

        connection_created.connect(guard.check, dispatch_uid="phi.guard")

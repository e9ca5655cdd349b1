from django.apps import AppConfig
from django.db.backends.signals import connection_created


class PhiConfig(AppConfig):
    name = "phi"

    def ready(self) -> None:
        from audit import signing  # noqa: PLC0415  (settings and models must be there first)
        from phi import guard  # noqa: PLC0415
        from phi.keyring import keyring  # noqa: PLC0415

        connection_created.connect(guard.check, dispatch_uid="phi.guard")
        signing.lend_key(lambda: keyring().secret("audit:sign"))

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from workflows import receivers  # noqa: F401, PLC0415
        from workflows.webhooks.inside import inside  # noqa: PLC0415

        try:
            inside()
        except ValueError as malformed:
            raise ImproperlyConfigured(f"CARILLON_WEBHOOK_INTERNAL: {malformed}") from None

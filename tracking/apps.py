from django.apps import AppConfig


class TrackingConfig(AppConfig):
    name = "tracking"

    def ready(self) -> None:
        from tracking import receivers  # noqa: F401, PLC0415 -- connects the receivers once models are loaded

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"

    def ready(self) -> None:
        from consent import receivers  # noqa: F401, PLC0415 -- connects the receivers once models are loaded

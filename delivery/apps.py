from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"

    def ready(self) -> None:
        from delivery.resolver import resolve  # noqa: PLC0415 - models are ready only now
        from tracking import resolvers  # noqa: PLC0415

        resolvers.register(resolve)

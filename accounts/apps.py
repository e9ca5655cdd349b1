from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import api_scheme, sessions  # noqa: PLC0415 - models are loaded only now

        assert api_scheme.TokenScheme.name
        sessions.connect()

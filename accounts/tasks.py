from celery import shared_task

from accounts import commands


@shared_task(name="accounts.purge_sessions")
def purge_sessions() -> None:
    """Every minute: take back lapsed roles, and drop what has lost its meaning."""
    commands.take_back_lapsed_roles()
    commands.purge()

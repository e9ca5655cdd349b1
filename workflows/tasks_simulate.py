"""Jobs of the simulator."""

from uuid import UUID

from celery import shared_task

from workflows import simulations


@shared_task(name="workflows.simulate")
def simulate(simulation_id: str) -> None:
    """Run one simulation that waits; a second job for the same one does nothing."""
    simulations.work(UUID(simulation_id))


@shared_task(name="workflows.sweep_simulations")
def sweep_simulations() -> None:
    """Beat finds what a dead worker left."""
    simulations.sweep()

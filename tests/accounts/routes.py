"""Every address of the product with fabricated arguments."""

from dataclasses import dataclass

from accounts import routes

DUMMIES = {"uuid": "01890000-0000-7000-8000-000000000000", "int": "1"}


@dataclass(frozen=True)
class Route(routes.Route):
    @property
    def path(self) -> str:
        return routes.filled(self.pattern, DUMMIES)


def every_route() -> list[Route]:
    return [Route(found.pattern, found.name, found.view) for found in routes.every_route()]


PAGES = [route for route in every_route() if route.endpoint is None]
OPERATIONS = [route for route in every_route() if route.endpoint is not None]

from tests.delivery.conftest import _no_connections_left, catcher, relay, unstarted

__all__ = ["_no_connections_left", "catcher", "relay", "unstarted"]

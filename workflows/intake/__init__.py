"""What happened to people reaches journeys: each thing once, also where a reader was killed in the middle.

Sources (consent, opens and clicks, deliveries, segments, changed people) become happenings, and happenings are matched:
they let people in, and wake who may wait for them. Each reads behind a cursor of its own, which moves in the
transaction of what came of it; nobody else reads meanwhile (LOCK).
"""

"""Counts one rule, read from standard input, until the answer changes; says when that was (seconds since 1970)."""

import json
import sys
import time


def main() -> None:
    import django

    django.setup()
    from segments import queries

    rule = json.loads(sys.stdin.readline())
    before = queries.count(rule)
    print("ready", flush=True)
    while queries.count(rule) == before:
        time.sleep(0.005)
    print(time.time(), flush=True)


if __name__ == "__main__":
    main()

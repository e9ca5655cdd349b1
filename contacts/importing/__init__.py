"""The engine behind an import: parse once, then take chunk after chunk, each in one transaction with its effects.

Whoever works holds a lease with an epoch. Every transaction first proves the epoch, so a worker that was taken for dead
writes nothing any more; a killed worker loses the one chunk it had not committed, and the next one takes it again.
"""

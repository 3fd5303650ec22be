"""What a trained model holds, where, and whether it is used: looking at it and changing it.

Chapters 10 and 12 ask with this what `trace` alone does not tell. In reading order:

    sites.py       places in a model: memory vectors, keys, values, heads, layers, distances
    running.py     a run in which something is looked at, or is made something else
    changes.py     what it is made: another run's (patching), zero or a mean (ablation), noise
    probes.py      what a linear map can read from vectors, and the controls of that
    subspaces.py   the directions in which vectors of different states differ
    lens.py        what the head makes of a vector that is not the last output
    distances.py   how far back each head looks
    recurrence.py  passes until the memory is right; what becomes of a disturbance (chapter 12)
    counts.py      a count of what held, with its interval

Nothing of the models knows of this: a run is changed through torch's hooks, which are gone when it
ends.
"""

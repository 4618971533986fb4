"""What each section of the paper asks of the store: a run in, all results of the section out.

A file a section, and one more for tables where they are many. Notebooks draw these results, `snnlib.claims` judges
them; both get the same ones, since the store keeps them. `evidence(run)` of a section gives what its claims are judged
on and no more, for the ledger; of adversarial images that is nearly all there is.
"""

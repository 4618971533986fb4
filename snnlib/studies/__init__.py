"""What each section of the paper asks of the store: a run in, all results of the section out. One file a section.

Notebooks draw these results, `snnlib.claims` judges them; both get the same ones, since the store keeps them.
"""

"""What tests and benchmarks put on trial alike: made-up worlds in which the right answer is known beforehand.

Weeks that are lived through again, weeks that are simulated, deliveries that are changed in one way, readers beside a
writer that is killed. Tests take a few of each and assert; `benchmarks/` takes many and prints how often. Nothing of
the pipeline imports it, and it holds neither assertions about the pipeline nor tables of figures.
"""

"""What exists in Dagster: a folder for each topic, in which Dagster finds it by `@definitions`.

A topic's files are called as in any Dagster project: `assets`, `checks`, `schedules`, `sensors`; `metadata` says what a
person sees of them. No topic imports another: what two of them need stands beside this folder.
"""

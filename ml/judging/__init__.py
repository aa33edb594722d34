"""Metrics with their intervals, and the gate: does the challenger take the champion's place?"""

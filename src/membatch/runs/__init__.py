"""Whole runs, from sources to a report: process, resume, retry, validate, convert, report.

Rule: a run is noted in the store before its first batch and after its last; a run that died in between is
found as interrupted and can be resumed. Each is imported from its room, so that a look at a store loads nothing
of what a load needs.
"""

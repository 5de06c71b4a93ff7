"""Dynamo Labs: the grader's command line, its results and reports."""

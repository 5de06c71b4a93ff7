"""Submissions of a class: opened safely, graded one by one or all together, and what is made of the
results: gradebook, class report, similarity."""

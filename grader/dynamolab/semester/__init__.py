"""During the semester: which grader gave a verdict, why points were lost, what a student sends in, what
to ask about it."""

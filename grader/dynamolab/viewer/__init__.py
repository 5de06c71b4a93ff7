"""One failure as one HTML file: a space-time diagram, what each node held, and the story beside it.

    write_page(trace, page, Failure(...))      # trace: Step lines (grader/sim/trace.h), simulated or real
"""

from dynamolab.viewer.failures import draw_failures
from dynamolab.viewer.page import Failure, write_page
from dynamolab.viewer.shiviz import write_shiviz

__all__ = ["Failure", "draw_failures", "write_page", "write_shiviz"]

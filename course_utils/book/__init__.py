"""From executed chapters to the course site: ``book/`` holds its hand-written pages, this package makes the rest.

Data flows one way: chapters are run (or their stored runs are taken), every page becomes a file of a Sphinx source
tree, and Sphinx makes a folder of it that works from a disk or a static host, with the network closed.
"""

from course_utils.book.links import broken_links
from course_utils.book.site import BUILD, build

__all__ = ["BUILD", "broken_links", "build"]

"""Which chapters are there, how long do they take, and what comes before them? Tables for hand-written pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from course_utils.authoring.chapter import Chapter
from course_utils.book.chapters import hours
from course_utils.errors import CourseError

README_ROW = re.compile(r"^\| (?P<id>\d\d) \| [^|]+ \| [^|]+ \| (?P<shown>[^|]+) \|$", re.M)
PLACE = re.compile(r"^<!-- chapters of part (?P<part>\d) -->$", re.M)


def fill(text: str, chapters: Sequence[Chapter], readme: str) -> str:
    """A page's text with a list of chapters in place of each line ``<!-- chapters of part 2 -->``.

    What a chapter shows is said in the README's table. Raises CourseError for a chapter that the table lacks.
    """
    shown = {match["id"]: match["shown"].strip() for match in README_ROW.finditer(readme)}
    if lacking := [chapter.id for chapter in chapters if chapter.id not in shown]:
        raise CourseError(f"The README's table of chapters lacks {', '.join(lacking)}. Add a row for each.")
    return PLACE.sub(
        lambda match: "\n".join(_item(c, chapters, shown[c.id]) for c in chapters if c.id[0] == match["part"]), text
    )


def _item(chapter: Chapter, chapters: Sequence[Chapter], shown: str) -> str:
    by_id = {other.id: other for other in chapters}
    before = " and ".join(f"[{name}](chapters/{by_id[name].file}.ipynb)" for name in chapter.prerequisites)
    core = sum(not exercise.deeper for exercise in chapter.exercises)
    facts = [f"about {hours(chapter.minutes)}", f"{core} exercises on the core path"]
    facts.append(f"after {before}" if before else "needs no other chapter")
    return (
        f"### [{chapter.id} · {chapter.title}](chapters/{chapter.file}.ipynb)\n\n"
        f"You will have shown {shown}.\n\n{{.chapter-facts}}\n{' · '.join(facts)}\n"
    )

"""From ``solutions/PC_slug.py`` to a Chapter, or to the list of everything that is wrong with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from course_utils.authoring import rules
from course_utils.authoring.chapter import Cell, Chapter, Exercise
from course_utils.authoring.exercises import Draft, find, order_errors
from course_utils.authoring.markers import Split, split
from course_utils.authoring.names import bindings
from course_utils.authoring.problems import Problem, StructureError
from course_utils.authoring.source import read_source, read_text

FILE_NAME = re.compile(r"(?P<id>[1-9]\d)_(?P<slug>[a-z0-9]+(?:_[a-z0-9]+)*)\.py")


def parse(path: Path, root: Path | None = None) -> Chapter:
    """The chapter written in ``path``; messages name the file relative to ``root`` (default: its folder's parent).

    Raises StructureError (a CourseError) with every problem found, each with file, line and exercise.
    """
    path = Path(path)
    file = path.relative_to(root).as_posix() if root else f"{path.parent.name}/{path.name}"
    chapter, problems = read(path, file)
    if problems or chapter is None:
        raise StructureError(problems)
    return chapter


def parse_all(root: Path) -> list[Chapter]:
    """Every chapter of ``root/solutions``, in order. Raises StructureError with the problems of all of them."""
    chapters: list[Chapter] = []
    problems: list[Problem] = []
    numbers: dict[str, str] = {}
    for path in sorted((root / "solutions").glob("*.py"), key=lambda path: path.name):
        chapter, found = read(path, path.relative_to(root).as_posix())
        problems += found
        if chapter is None:
            continue
        file = f"solutions/{path.name}"
        if other := numbers.get(chapter.id):
            problems.append(Problem(file, 1, f"{other} is chapter {chapter.id} too; give one of them another number."))
        numbers.setdefault(chapter.id, file)
        chapters.append(chapter)
    if problems:
        raise StructureError(problems)
    return chapters


def read(path: Path, file: str) -> tuple[Chapter | None, list[Problem]]:
    """The chapter (None if it cannot be made) and its problems, where a list without problems comes with a chapter."""
    name = FILE_NAME.fullmatch(path.name)
    if name is None:
        sentence = "the file name must be PC_slug.py: part, place, and lower-case words, as in 21_fourier_algorithm.py."
        return None, [Problem(file, 1, sentence)]
    try:
        text = read_text(path)
    except UnicodeDecodeError:
        return None, [Problem(file, 1, "the file is not UTF-8 text; save it as UTF-8.")]
    header, cells, problems = read_source(text, file)
    drafts, errors = find(cells)
    errors += order_errors(drafts, name["id"])
    reader = _Reader(cells, drafts)
    exercises = reader.exercises()
    problems += [Problem(file, line, sentence, exercise) for line, sentence, exercise in [*errors, *reader.errors]]
    if header is None:
        return None, problems
    chapter = Chapter(
        id=name["id"],
        slug=name["slug"],
        title=header.title,
        minutes=header.minutes,
        prerequisites=header.prerequisites,
        cells=tuple(cells),
        exercises=tuple(exercises),
    )
    return chapter, problems


class _Reader:
    """One pass over a chapter's code cells, keeping each cell's two versions, its syntax tree, and the errors."""

    def __init__(self, cells: list[Cell], drafts: list[Draft]) -> None:
        self.cells, self.drafts = cells, drafts
        self.errors: list[tuple[int, str, str | None]] = []
        self.at = {draft.cell: draft for draft in drafts if draft.cell is not None}
        self.splits: dict[int, Split] = {}
        self.trees: dict[int, ast.Module] = {}
        for index, cell in enumerate(cells):
            if cell.kind == "code":
                self._code(index, cell)

    def _id(self, index: int) -> str | None:
        draft = self.at.get(index)
        return draft.id if draft else None

    def _code(self, index: int, cell: Cell) -> None:
        made = split(cell, self._id(index) or "?")
        self.splits[index] = made
        self.errors += [(line, sentence, self._id(index)) for line, sentence in made.errors]
        try:
            self.trees[index] = ast.parse(made.solution.source)
        except SyntaxError as error:
            line = made.solution.at(error.lineno or 1)
            self.errors.append((line, f"this cell is not valid Python ({error.msg}).", self._id(index)))
            return
        if index not in self.at and (made.blocks or rules.test_calls(self.trees[index])):
            what = "a solution block" if made.blocks else "a call of a check"
            sentence = f"{what} outside an exercise; put a markdown cell with the exercise's header before it."
            self.errors.append((cell.line, sentence, None))

    def exercises(self) -> list[Exercise]:
        """The exercises; the rules that look at their cells add to ``errors`` on the way."""
        made = []
        names: dict[int, tuple[str | None, str | None]] = {}
        for index, draft in self.at.items():
            if index not in self.trees:
                continue
            name, check, errors = rules.check_call(self.splits[index].solution, self.trees[index])
            names[index] = name, check
            self._add(draft, errors)
        self._twice(names)
        for index, (name, check) in names.items():
            draft = self.at[index]
            self._rules(index, names)
            made.append(
                Exercise(
                    id=draft.id or "?",
                    title=draft.title,
                    difficulty=draft.difficulty,
                    importance=draft.importance,
                    minutes=draft.minutes,
                    deeper=draft.deeper,
                    name=name or "",
                    check=check or "",
                    hints=draft.hints,
                    stub=self.splits[index].stub.source,
                    text=draft.text,
                    cell=index,
                )
            )
        return made

    def _rules(self, index: int, names: dict[int, tuple[str | None, str | None]]) -> None:
        (name, check), draft = names[index], self.at[index]
        cut, tree = self.splits[index], self.trees[index]
        if "solution-only" in {*self.cells[index].tags, *self.cells[draft.text].tags}:
            self._add(draft, [(self.cells[index].line, "an exercise cannot be tagged `solution-only`; drop the tag.")])
        if name is not None:
            self._add(draft, rules.answer_rules(cut.solution, tree, name, cut.blocks))
        if not cut.errors:
            self._add(draft, rules.stub_rules(cut.stub, draft.id or "?", name))
        others = [bindings(other) for k, other in self.trees.items() if k != index]
        answers = {other[0]: self._id(k) or "?" for k, other in names.items() if k != index and other[0]}
        self._add(draft, rules.leaning_rules(cut.solution, tree, others, answers))
        try:
            stub_tree = ast.parse(cut.stub.source)
        except SyntaxError:
            stub_tree = None
        if stub_tree is not None:
            self._add(draft, rules.leaning_rules(cut.stub, stub_tree, others, answers))
        if name is not None:
            later = [(self.splits[k].solution, self.trees[k]) for k in sorted(self.trees) if k > index]
            self._add(draft, rules.use_rules(later, name, check or f"library.{name}"))

    def _twice(self, names: dict[int, tuple[str | None, str | None]]) -> None:
        """A name, or a check, that two exercises share would make one of them count for the other."""
        seen: dict[str, str] = {}
        for index, pair in names.items():
            draft = self.at[index]
            for what in filter(None, pair):
                if what in seen:
                    sentence = f"`{what}` belongs to exercise {seen[what]} already; each needs its own name and check."
                    self.errors.append((self.cells[index].line, sentence, draft.id))
                seen.setdefault(what, draft.id or "?")

    def _add(self, draft: Draft, findings: rules.Findings | list[tuple[int, str]]) -> None:
        for line, sentence in findings:
            if (line, sentence, draft.id) not in self.errors:
                self.errors.append((line, sentence, draft.id))

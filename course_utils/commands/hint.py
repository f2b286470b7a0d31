"""``course hint``: the next hint of an exercise, one at a time."""

from __future__ import annotations

import typer

from course_utils.commands.screen import markdown, say
from course_utils.manifest import read_manifest
from course_utils.workspace import read_state, write_state

MEMORY = "hints.json"


def hint(
    exercise: str = typer.Argument(..., metavar="EXERCISE", help="An exercise such as 21.3."),
    again: bool = typer.Option(False, "--again", help="The hints you have already seen."),
) -> None:
    """Show the next hint. The first one points the way; the last one nearly gives the answer."""
    _, found = read_manifest().exercise(exercise)
    if not found.hints:
        say(f"Exercise {found.id} · {found.title} has no hints.")
        return
    memory = read_state(MEMORY)
    seen = memory.get(found.id, 0)
    seen = min(seen, len(found.hints)) if isinstance(seen, int) and seen >= 0 else 0
    if again and not seen:
        say(f"You have not seen a hint for {found.id} yet: `course hint {found.id}` shows the first.")
        return
    all_seen = seen == len(found.hints)
    numbers = range(1, seen + 1) if again else [min(seen + 1, len(found.hints))]
    say(f"Exercise {found.id} · {found.title}", "bold")
    for number in numbers:
        say(f"Hint {number} of {len(found.hints)}", "dim")
        markdown(found.hints[number - 1])
    if not again and not all_seen:
        seen += 1
        memory[found.id] = seen
        write_state(MEMORY, memory)
    left = len(found.hints) - seen
    if left:
        say(f"{left} more {'hint' if left == 1 else 'hints'}: `course hint {found.id}`.", "dim")
    elif not again:
        say(f"That was the last hint. `course hint {found.id} --again` shows them all.", "dim")

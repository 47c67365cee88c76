"""Taking one item out of a list written with commas: arguments, or the names of an import."""

from __future__ import annotations

from ppolint.findings import Edit


def without(text: str, start: int, end: int, previous_end: int | None) -> Edit:
    """Delete the item at `text[start:end]` with its comma, and its line when it stands alone there.

    `previous_end` is where the item before it ends, None for the first. Comments stay.
    """
    after = end + len(text[end:]) - len(text[end:].lstrip())
    if text[after : after + 1] == ",":
        end = after + 1
        line_start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", end)
        rest = text[end:line_end] if line_end >= 0 else text[end:]
        if not rest.strip() and not text[line_start:start].strip() and line_end >= 0:
            return Edit(line_start, line_end + 1, "")
        return Edit(start, end + len(rest) - len(rest.lstrip(" ")), "")
    # The last one without a comma behind it: the comma before it goes, unless a comment follows it.
    if previous_end is not None and "#" not in text[previous_end:start]:
        return Edit(previous_end, end, "")
    return Edit(start, end, "")

"""Comments that a pull request has already are not made again.

`python -m ppolint.review.repeats REVIEW EXISTING` prints the review body in the file REVIEW (of the
format `github-review`) without the comments whose markers are in the file EXISTING, which holds what
GitHub lists as the comments of the pull request. It prints nothing when there is nothing to say. With
`--in-body` the comments go into the body: GitHub refuses a review for one line that it does not show.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from ppolint.reporters.github_review import LONGEST_BODY

_MARKER = re.compile(r"<!-- ppolint:[\w:]+ -->")


def without_repeats(review: dict[str, Any], existing: str) -> dict[str, Any] | None:
    """The review without comments that `existing` has; None when no finding is left in it."""
    known = set(_MARKER.findall(existing.replace("\\u003c", "<").replace("\\u003e", ">")))
    comments = [c for c in review["comments"] if not known.issuperset(_MARKER.findall(c["body"]))]
    in_body = _MARKER.findall(review["body"])
    if not comments and known.issuperset(in_body):
        return None
    return {**review, "comments": comments}


def in_body(review: dict[str, Any]) -> dict[str, Any]:
    """The review without comments on lines, which its body tells instead, as many as fit."""
    body = review["body"]
    for comment in review["comments"]:
        more = f"\n\n{comment['path']}:{comment['line']}: {comment['body']}"
        if len(body) + len(more) > LONGEST_BODY:
            break
        # Suggestions work on lines only.
        body += more.replace("```suggestion", "```python")
    return {**review, "body": body, "comments": []}


def main(review_file: str, existing_file: str, *options: str) -> None:
    """Print what is left of a review."""
    with open(review_file, encoding="utf-8") as file:
        review = json.load(file)
    with open(existing_file, encoding="utf-8") as file:
        left = without_repeats(review, file.read())
    if left is not None:
        print(json.dumps(in_body(left) if "--in-body" in options else left, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Values judged: the contract as a Great Expectations suite, and a file's cells as a verdict.

Every rule is about one value, so the suite runs on each column's distinct texts (a few thousand
even in a million rows), and what it finds is joined back to the rows by their text. Great
Expectations decides which text breaks which rule; the contract only says it in words.

Importing this takes seconds: whoever judges no files should not load it.
"""

from jobchurn.quality.judge import Judge, judge
from jobchurn.quality.reasoning import TEXT_LIMIT
from jobchurn.quality.suite import JudgementFailed, broken_rules, expectations_of

__all__ = [
    "TEXT_LIMIT",
    "Judge",
    "JudgementFailed",
    "broken_rules",
    "expectations_of",
    "judge",
]

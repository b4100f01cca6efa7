"""The contract: every rule about the data, written once.

Everything else that knows a rule (the Great Expectations suite, the API's schema, the database's
columns, the web form, the injectable faults, the model's encoding) derives it from here, and
``tests/one_truth`` holds each derivation to :meth:`Column.admits`. No other module names a column
or a value of one; they speak of columns by :class:`Role` and :class:`Kind`, so that another domain
needs another :class:`Contract` and nothing else.

Standard library only, and no input or output.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from typing import TypeAlias

Value = int | float | str | None
"""A value as the contract stores it: canonical, and ``None`` where the cell is blank."""

BIGGEST_INTEGER = 2**63 - 1
"""The largest integer a column may hold: PostgreSQL's ``bigint``, and exact in JSON libraries."""

NUMBER_PATTERN = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
"""How a number is spelt in a file: ASCII digits, a decimal point, no separators of thousands."""

NOT_FINITE_PATTERN = r"[+-]?([iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])"
"""The spellings of infinity and not-a-number, which are no values here."""

CONTROL_PATTERN = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
"""Characters that no text may hold: Unicode's category Cc, and lone surrogates (not in UTF-8)."""

FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
"""With what a text begins that a spreadsheet takes for a formula, where it is no number.

Source: OWASP, "CSV Injection".
"""

_NUMBER = re.compile(NUMBER_PATTERN)
_NOT_FINITE = re.compile(NOT_FINITE_PATTERN)
_CONTROL = re.compile(CONTROL_PATTERN)
_REPAIRED = 64 * 1024
"""How many characters a text may have and still be searched for what it likely meant; a cell of a
file has no more."""

_PLAIN_INTEGER = re.compile(r"([+-]?[0-9]{1,30})(\.0*)?")


class Kind(StrEnum):
    """What sort of value a column holds."""

    INTEGER = "integer"
    NUMBER = "number"
    CATEGORY = "category"
    ORDERED = "ordered category"
    TEXT = "text"


class Role(StrEnum):
    """What a column is for."""

    ID = "id"
    FEATURE = "feature"
    PROTECTED = "protected"
    """Kept to compare groups of people; never shown to the model."""
    OUTCOME = "outcome"
    """What is predicted: 1 is the positive class. Known for some records; never a feature."""


class Rule(StrEnum):
    """The rules that a value can break. A file's structure has rules of its own (``files``)."""

    REQUIRED = "required"
    KIND = "kind"
    FINITE = "finite"
    INTEGRAL = "integral"
    RANGE = "range"
    DOMAIN = "domain"
    LENGTH = "length"
    CHARACTERS = "characters"


Likely: TypeAlias = Callable[[], str | None]
"""Finds the value that was likely meant; ``None`` where none comes near."""


class Violation(ValueError):
    """A value breaks a rule of its column.

    Attributes:
        column: the column's name.
        rule: the rule that is broken.
        value: the value as it came.
        allowed: what is allowed, in words.

    Args:
        column: which.
        rule: the rule that is broken.
        value: the value as it came.
        likely: looks for the value that was likely meant. That takes a while, and is done only
            where somebody asks.
    """

    def __init__(
        self, column: Column, rule: Rule, value: object, likely: Likely | None = None
    ) -> None:
        self.column = column.name
        self.rule = rule
        self.value = value
        self.allowed = column.allowed
        self._likely = likely
        # An empty cell is blank; JSON has null for that, and an empty text is refused.
        found = "an empty text" if value == "" and not column.required else shown(value)
        super().__init__(f"{column.name} is {found}: {_BROKEN[rule]}; allowed: {self.allowed}")

    @cached_property
    def repair(self) -> str | None:
        """The value that was likely meant, or ``None``."""
        return None if self._likely is None else self._likely()


_BROKEN = {
    Rule.REQUIRED: "a value is required",
    Rule.KIND: "not a value of this kind",
    Rule.FINITE: "not a finite number",
    Rule.INTEGRAL: "not a whole number",
    Rule.RANGE: "out of range",
    Rule.DOMAIN: "not a known value",
    Rule.LENGTH: "too long",
    Rule.CHARACTERS: "it holds control characters",
}


def shown(value: object, limit: int = 60) -> str:
    """A value as a person may read it: quoted, unprintable characters escaped, cut to ``limit``."""
    if value is None or value == "":
        return "blank"
    if isinstance(value, bool):
        return str(value).lower()  # as JSON spells it
    if isinstance(value, int) and value.bit_length() > 200:  # Python refuses to spell long ones
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        value = value[: limit + 1]  # of millions of characters no others are looked at
        text = ascii(value) if _CONTROL.search(value) else repr(value)
    else:
        text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: what it means, and which values it admits.

    Attributes:
        name: as files and requests spell it.
        label: as people read it.
        kind, role: see :class:`Kind` and :class:`Role`.
        meaning: one sentence.
        required: whether a blank is refused.
        levels: the canonical values of a category, from lowest to highest where they are ordered.
        spellings: accepted spelling → level, beside the levels themselves.
        minimum, maximum: inclusive bounds of a number.
        max_length: the most characters of a text.
        unit: of a number, or empty.
        actionable: whether a person can change it, so that advice may speak of it.
        examples: values to show.
        wording: value → the words that a person reads for it, where its own text is not plain.
    """

    name: str
    label: str
    kind: Kind
    role: Role
    meaning: str
    required: bool = False
    levels: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    unit: str = ""
    actionable: bool = False
    examples: tuple[Value, ...] = ()
    wording: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers."""
        return self.kind in (Kind.INTEGER, Kind.NUMBER)

    @property
    def is_closed(self) -> bool:
        """Whether the contract lists every value."""
        return self.kind in (Kind.CATEGORY, Kind.ORDERED)

    @cached_property
    def accepted(self) -> dict[str, str]:
        """Every accepted text of a category → its level."""
        return {level: level for level in self.levels} | dict(self.spellings)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that a value of this column can break, in the order in which they are tried."""
        rules = [Rule.REQUIRED] if self.required else []
        match self.kind:
            case Kind.NUMBER:
                rules += [Rule.FINITE, Rule.KIND, Rule.RANGE]
            case Kind.INTEGER:
                rules += [Rule.FINITE, Rule.KIND, Rule.INTEGRAL, Rule.RANGE]
            case Kind.CATEGORY | Kind.ORDERED:
                rules += [Rule.DOMAIN]
            case Kind.TEXT:
                rules += [Rule.CHARACTERS, Rule.LENGTH]
        return tuple(rules)

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        match self.kind:
            case Kind.INTEGER | Kind.NUMBER:
                noun = "a whole number" if self.kind is Kind.INTEGER else "a number"
                words = f"{noun} from {self.minimum:.15g} to {self.maximum:.15g}"
                if self.maximum == BIGGEST_INTEGER:
                    words = f"{noun} from {self.minimum:.15g}"
            case Kind.CATEGORY | Kind.ORDERED:
                words = ", ".join(self.levels)
            case Kind.TEXT:
                words = f"text of 1 to {self.max_length} characters without control characters"
        return words if self.required else f"{words}, or blank"

    def read(self, text: str) -> Value:
        """The canonical value of a cell's text; ``None`` where the cell is blank.

        Raises:
            Violation: the text breaks a rule.
        """
        if text == "":
            return self._blank(text)
        if not self.is_numeric:
            return self._word(text)
        if _NOT_FINITE.fullmatch(text):
            raise Violation(self, Rule.FINITE, text)
        if not _NUMBER.fullmatch(text):
            raise Violation(self, Rule.KIND, text, partial(self._repaired_number, text))
        exact = _PLAIN_INTEGER.fullmatch(text)
        return self._number(text, int(exact[1]) if exact else float(text))

    def reads(self, text: str) -> bool:
        """Whether :meth:`read` would take the text."""
        try:
            self.read(text)
        except Violation:
            return False
        return True

    def accept(self, value: object) -> Value:
        """The canonical value of a typed value, as JSON carries it; ``None`` where it is null.

        Strict: a number's text is not a number, nor is true. Two allowances, both in JSON's own
        spirit: a number without a fraction is a whole number (36.0 is 36), and an integer whose
        text is a level of a category counts as it (5 is "5"), as data frames send it.

        Raises:
            Violation: the value breaks a rule.
        """
        if value is None:
            return self._blank(value)
        if self.is_numeric:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Violation(self, Rule.KIND, value)
            return self._number(value, value)
        if self.is_closed and isinstance(value, int) and not isinstance(value, bool):
            # Long integers are no level of any category, and their text is refused by Python.
            value = str(value) if abs(value) < BIGGEST_INTEGER else "out of range"
        if not isinstance(value, str):
            raise Violation(self, Rule.DOMAIN if self.is_closed else Rule.KIND, value)
        if value == "" and self.required:
            raise Violation(self, Rule.REQUIRED, value)
        return self._word(value)

    def admits(self, value: object) -> bool:
        """Whether :meth:`accept` would take the value: the oracle of ``tests/one_truth``."""
        try:
            self.accept(value)
        except Violation:
            return False
        return True

    def write(self, value: Value) -> str:
        """The text of a canonical value in a file; blank for ``None``."""
        return "" if value is None else str(value)

    def words(self, value: Value) -> str:
        """The value as a person reads it."""
        return "unknown" if value is None else self.wording.get(str(value), str(value))

    def nearest(self, text: str) -> str | None:
        """The level that ``text`` most likely meant, or ``None``."""
        folded = {spelling.casefold(): level for spelling, level in self.accepted.items()}
        plain = _plain(text)
        found = difflib.get_close_matches(plain, folded, n=1, cutoff=0.7)
        return folded[found[0]] if found else None

    def _blank(self, value: object) -> Value:
        if self.required:
            raise Violation(self, Rule.REQUIRED, value)
        return None

    def _number(self, shown_as: object, value: float) -> int | float:
        if not isinstance(value, int) and not math.isfinite(value):
            raise Violation(self, Rule.FINITE, shown_as)
        if self.kind is Kind.INTEGER and value != int(value):
            raise Violation(self, Rule.INTEGRAL, shown_as)
        if self.minimum is not None and value < self.minimum:
            raise Violation(self, Rule.RANGE, shown_as)
        if self.maximum is not None and value > self.maximum:
            raise Violation(self, Rule.RANGE, shown_as)
        # Adding zero turns -0.0 into 0.0.
        return int(value) if self.kind is Kind.INTEGER else float(value) + 0.0

    def _word(self, text: str) -> str:
        if self.is_closed:
            try:
                return self.accepted[text]
            except KeyError:
                raise Violation(self, Rule.DOMAIN, text, partial(self.nearest, text)) from None
        if _CONTROL.search(text):
            raise Violation(self, Rule.CHARACTERS, text, partial(self._without_control, text))
        if self.max_length is not None and len(text) > self.max_length:
            raise Violation(self, Rule.LENGTH, text)
        return text

    def _without_control(self, text: str) -> str | None:
        """A text without control characters, where that one is admitted."""
        plain = _CONTROL.sub("", text) if len(text) <= _REPAIRED else ""
        return plain if plain and self.reads(plain) else None

    def _repaired_number(self, text: str) -> str | None:
        """What a number spelt by another custom likely meant: separators, a decimal comma."""
        plain = _plain(text).replace("_", "").replace(" ", "")
        thousands = re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", plain)
        plain = plain.replace(",", "" if thousands else ".")
        if plain == text or not _NUMBER.fullmatch(plain):
            return None
        try:
            self.read(plain)
        except Violation:
            return None
        return plain


def _plain(text: str) -> str:
    """Case, width and invisible characters taken away, so that look-alikes meet."""
    normal = unicodedata.normalize("NFKC", text[:200])
    visible = "".join(c for c in normal if unicodedata.category(c) not in ("Cf", "Cc"))
    return " ".join(visible.casefold().split())


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a data set promises: its columns, in order, and the words for its subject.

    Attributes:
        name: a short identifier.
        subject: what one record describes, in the singular.
        positive, negative: what a prediction of 1 or 0 says of the subject, as a predicate.
        columns: in the order in which files are written.

    Raises:
        ValueError: the columns contradict each other (say, two bear one name).
    """

    name: str
    subject: str
    positive: str
    negative: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.columns):
            raise ValueError("two columns bear one name")
        if sum(column.role is Role.OUTCOME for column in self.columns) != 1:
            raise ValueError("a contract has one outcome")
        if sum(column.role is Role.ID for column in self.columns) > 1:
            raise ValueError("a contract has at most one id")
        for column in self.columns:
            if column.is_closed and not column.levels:
                raise ValueError(f"{column.name} is a category without levels")
            if column.is_numeric and None in (column.minimum, column.maximum):
                raise ValueError(f"{column.name} is a number without bounds")
            if column.kind is Kind.TEXT and not column.max_length:
                raise ValueError(f"{column.name} is a text without a greatest length")
            if stray := set(column.spellings.values()) - set(column.levels):
                raise ValueError(f"{column.name} has spellings of unknown levels: {sorted(stray)}")

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Name → column."""
        return {column.name: column for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """What the model sees."""
        return tuple(column for column in self.columns if column.role is Role.FEATURE)

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """What describes the subject: the features, and what is kept to compare groups."""
        return tuple(c for c in self.columns if c.role in (Role.FEATURE, Role.PROTECTED))

    @cached_property
    def required(self) -> tuple[Column, ...]:
        """The columns that a file must have, each with a value in every row."""
        return tuple(column for column in self.columns if column.required)

    @cached_property
    def outcome(self) -> Column:
        """The column that is predicted."""
        return next(column for column in self.columns if column.role is Role.OUTCOME)

    @cached_property
    def id(self) -> Column | None:
        """The column that names the subject, or ``None``."""
        return next((column for column in self.columns if column.role is Role.ID), None)

    def nearest_name(self, name: str) -> str | None:
        """The column that ``name`` most likely meant, or ``None``."""
        found = difflib.get_close_matches(_plain(name), self.by_name, n=1, cutoff=0.7)
        return found[0] if found else None

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over names, kinds, roles, order and canonical domains.

        A new accepted spelling or a better description leaves it as it is, so that neither retires
        a model.
        """
        promises = [
            [c.name, c.kind, c.role, c.levels, c.minimum, c.maximum, c.max_length]
            for c in self.columns
        ]
        return hashlib.sha256(json.dumps(promises).encode()).hexdigest()[:16]


JOB_CHANGE = Contract(
    name="job-change",
    subject="candidate",
    positive="is looking for a new job",
    negative="is not looking for a new job",
    columns=(
        Column(
            name="enrollee_id",
            label="Enrollee",
            kind=Kind.INTEGER,
            role=Role.ID,
            meaning="The number under which the candidate enrolled for training.",
            required=True,
            minimum=1,
            maximum=BIGGEST_INTEGER,
            examples=(1001, 1002),
        ),
        Column(
            name="city",
            label="City",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="The city the candidate lives in, by its code.",
            required=True,
            max_length=64,
            examples=("city_103", "city_21"),
        ),
        Column(
            name="city_development_index",
            label="City development index",
            kind=Kind.NUMBER,
            role=Role.FEATURE,
            meaning="How developed the city is, from 0 to 1.",
            required=True,
            minimum=0,
            maximum=1,
            examples=(0.92, 0.624),
        ),
        Column(
            name="gender",
            label="Gender",
            kind=Kind.CATEGORY,
            role=Role.PROTECTED,
            meaning="The candidate's gender; kept to compare groups, never shown to the model.",
            levels=("Male", "Female", "Other"),
            examples=("Female", None),
        ),
        Column(
            name="relevent_experience",
            label="Relevant experience",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="Whether the candidate has worked in the field (spelt so in the data).",
            required=True,
            levels=("Has relevent experience", "No relevent experience"),
            examples=("Has relevent experience",),
            wording={
                "Has relevent experience": "Has relevant experience",
                "No relevent experience": "No relevant experience",
            },
        ),
        Column(
            name="enrolled_university",
            label="University enrolment",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="The kind of university course the candidate is enrolled in, if any.",
            levels=("no_enrollment", "Full time course", "Part time course"),
            actionable=True,
            examples=("no_enrollment", None),
            wording={
                "no_enrollment": "Not enrolled",
                "Full time course": "Full-time course",
                "Part time course": "Part-time course",
            },
        ),
        Column(
            name="education_level",
            label="Education",
            kind=Kind.ORDERED,
            role=Role.FEATURE,
            meaning="The highest level of education the candidate has reached.",
            levels=("Primary School", "High School", "Graduate", "Masters", "Phd"),
            examples=("Graduate", None),
            wording={
                "Primary School": "Primary school",
                "High School": "High school",
                "Phd": "PhD",
            },
        ),
        Column(
            name="major_discipline",
            label="Major",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="The candidate's main field of study; blank below Graduate.",
            levels=("STEM", "Business Degree", "Arts", "Humanities", "No Major", "Other"),
            examples=("STEM", None),
            wording={"Business Degree": "Business degree", "No Major": "No major"},
        ),
        Column(
            name="experience",
            label="Experience",
            kind=Kind.ORDERED,
            role=Role.FEATURE,
            meaning="Years of work experience.",
            levels=("<1", *(str(years) for years in range(1, 21)), ">20"),
            unit="years",
            examples=("5", ">20"),
            wording={"<1": "less than 1", ">20": "more than 20"},
        ),
        Column(
            name="company_size",
            label="Company size",
            kind=Kind.ORDERED,
            role=Role.FEATURE,
            meaning="How many people work for the candidate's present employer.",
            levels=(
                "<10",
                "10-49",
                "50-99",
                "100-500",
                "500-999",
                "1000-4999",
                "5000-9999",
                "10000+",
            ),
            # A spreadsheet takes 10-49 for October 1949; an older export wrote a slash.
            spellings={"Oct-49": "10-49", "10/49": "10-49"},
            unit="employees",
            actionable=True,
            examples=("50-99", None),
            wording={"<10": "fewer than 10", "10000+": "10000 or more"},
        ),
        Column(
            name="company_type",
            label="Company type",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="The kind of company the candidate's present employer is.",
            levels=(
                "Pvt Ltd",
                "Funded Startup",
                "Early Stage Startup",
                "Public Sector",
                "NGO",
                "Other",
            ),
            actionable=True,
            examples=("Pvt Ltd", None),
            wording={
                "Pvt Ltd": "Private company",
                "Funded Startup": "Funded start-up",
                "Early Stage Startup": "Early-stage start-up",
                "Public Sector": "Public sector",
            },
        ),
        Column(
            name="last_new_job",
            label="Years since the last job change",
            kind=Kind.ORDERED,
            role=Role.FEATURE,
            meaning="Years between the candidate's previous job and the present one.",
            levels=("never", "1", "2", "3", "4", ">4"),
            unit="years",
            examples=("1", "never"),
            wording={"never": "never changed", ">4": "more than 4"},
        ),
        Column(
            name="training_hours",
            label="Training time",
            kind=Kind.INTEGER,
            role=Role.FEATURE,
            meaning="Hours of training the candidate has completed with us.",
            required=True,
            minimum=0,
            maximum=1000,
            unit="hours",
            actionable=True,
            examples=(36, 47),
        ),
        Column(
            name="target",
            label="Looking for a new job",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="1 where the candidate is known to look for a new job, 0 where not.",
            minimum=0,
            maximum=1,
            examples=(0, 1),
            wording={"0": "no", "1": "yes"},
        ),
    ),
)
"""Job change of data scientists: whether a candidate is looking for a new job."""

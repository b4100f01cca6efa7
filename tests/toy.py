"""A second contract, of another domain: whether a machine will fail. It has no id."""

from jobchurn.contract import Column, Contract, Kind, Role

TOY = Contract(
    name="machine-failure",
    subject="machine",
    positive="will fail within a week",
    negative="will run on",
    columns=(
        Column(
            name="temperature",
            label="Temperature",
            kind=Kind.NUMBER,
            role=Role.FEATURE,
            meaning="How hot the bearing is.",
            required=True,
            minimum=-40,
            maximum=250.5,
            unit="°C",
            examples=(71.5,),
        ),
        Column(
            name="maker",
            label="Maker",
            kind=Kind.CATEGORY,
            role=Role.FEATURE,
            meaning="Who built it.",
            levels=("O'Neill & Söhne", "50% : cheap", "back\\slash"),
            spellings={"ONeill": "O'Neill & Söhne"},
            examples=("O'Neill & Söhne", None),
        ),
        Column(
            name="site",
            label="Site",
            kind=Kind.TEXT,
            role=Role.FEATURE,
            meaning="Where it stands.",
            max_length=12,
            examples=("Hall 3", None),
        ),
        Column(
            name="failed",
            label="Failed",
            kind=Kind.INTEGER,
            role=Role.OUTCOME,
            meaning="1 where it failed, 0 where not.",
            minimum=0,
            maximum=1,
            examples=(0, 1),
        ),
    ),
)

"""Large requests, and bodies beside JSON: read, judged and answered column by column."""

from jobchurn.api.bulk.forms import FORMS
from jobchurn.api.bulk.forms import described as described_forms
from jobchurn.api.bulk.requests import predict_bulk_request
from jobchurn.api.bulk.wishes import described as described_wishes
from jobchurn.api.bulk.wishes import refuse_wishes

__all__ = [
    "FORMS",
    "described_forms",
    "described_wishes",
    "predict_bulk_request",
    "refuse_wishes",
]
